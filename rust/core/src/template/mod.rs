//! Templates of prompts: compiled once per version, rendered with the app's variables.
//!
//! Values are data: what a variable holds is written out and never read as a template
//! again. There are no includes, no host objects and no escaping, for a prompt is not
//! HTML. Errors name lines and variables, never values.

mod jinja;
mod plain;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;

/// The longest source that compiles, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// The longest text that a rendering returns, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// How `{{…}}` in a prompt is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Syntax {
    /// `{{name}}` and nothing else.
    #[default]
    Plain,
    /// Jinja: expressions, conditions and loops, within a budget of fuel.
    Jinja,
}

/// Why a template was refused or could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The source is longer than [`MAX_SOURCE_BYTES`].
    #[error("the template has more than {MAX_SOURCE_BYTES} bytes")]
    SourceTooLong,
    /// The source is not of its syntax.
    #[error("line {line} of the template: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The template uses a variable that was not given.
    #[error("variable `{0}` is not given: pass it with the request")]
    UnknownVariable(String),
    /// The rendering is longer than [`MAX_OUTPUT_BYTES`].
    #[error("the rendered prompt has more than {MAX_OUTPUT_BYTES} bytes")]
    OutputTooLong,
    /// A Jinja template used up its budget of time and memory.
    #[error("the template does more work than one rendering may")]
    OutOfFuel,
    /// A Jinja template failed on these variables.
    #[error("line {line} of the template fails: {reason}")]
    Failed {
        /// The line, from 1; 0 when the engine does not tell.
        line: usize,
        /// The kind of failure, without values.
        reason: String,
    },
}

/// A compiled prompt.
///
/// ```
/// use pitcanary_core::template::{Syntax, Template};
/// use serde_json::{Map, json};
///
/// let template = Template::compile(Syntax::Plain, "Dear {{ name }}, {{name}}!")?;
/// let variables = Map::from_iter([("name".to_owned(), json!("{{name}}"))]);
/// assert_eq!(template.render(&variables)?, "Dear {{name}}, {{name}}!");
/// # Ok::<(), pitcanary_core::template::TemplateError>(())
/// ```
#[derive(Debug)]
pub struct Template {
    engine: Engine,
    variables: BTreeSet<String>,
}

#[derive(Debug)]
enum Engine {
    Plain(plain::Plain),
    Jinja(Box<jinja::Jinja>),
}

impl Template {
    /// Reads the source once; rendering never parses again.
    ///
    /// # Errors
    ///
    /// When the source is too long or not of its syntax.
    pub fn compile(syntax: Syntax, source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TemplateError::SourceTooLong);
        }
        let (engine, variables) = match syntax {
            Syntax::Plain => {
                let (plain, variables) = plain::Plain::compile(source)?;
                (Engine::Plain(plain), variables)
            }
            Syntax::Jinja => {
                let (jinja, variables) = jinja::Jinja::compile(source)?;
                (Engine::Jinja(Box::new(jinja)), variables)
            }
        };
        Ok(Self { engine, variables })
    }

    /// Writes the template out with the values of its variables.
    ///
    /// Variables that the template does not use are ignored. Text is written as it is,
    /// a whole number without a decimal point whatever its JSON form.
    ///
    /// # Errors
    ///
    /// When a variable is missing, the text grows too long, or Jinja fails.
    pub fn render(&self, variables: &Map<String, Value>) -> Result<String, TemplateError> {
        match &self.engine {
            Engine::Plain(plain) => plain.render(variables),
            Engine::Jinja(jinja) => jinja.render(variables, &self.variables),
        }
    }

    /// The names that the template may look up, in order.
    ///
    /// For Jinja these include names that only one branch uses.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Tells whether the template renders to the same text whatever the variables.
    pub fn is_constant(&self) -> bool {
        matches!(self.engine, Engine::Plain(_)) && self.variables.is_empty()
    }
}

/// A number that is whole and exact as a double, as an integer.
///
/// Variables come through protobuf's `Struct`, where every number is a double; a prompt
/// that says "3.0 items" would surprise its author.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and below 2^53"
)]
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let double = number.as_f64()?;
        let exact = double.trunc().total_cmp(&(double + 0.0)).is_eq();
        (exact && double.abs() < 9_007_199_254_740_992.0).then_some(double as i64)
    })
}

#[cfg(test)]
mod tests;
