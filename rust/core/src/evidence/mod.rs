//! Evidence: what is counted of each arm, and what follows from it.

pub mod kernel;
