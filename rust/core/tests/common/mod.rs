//! Where the public data sets lie that some tests read.

use std::path::PathBuf;

/// The folder of a data set, or `None` after saying which variable to set.
///
/// `PITCANARY_DATA` names the data; without it, `../shared/data` beside the repository.
pub(crate) fn data_folder(name: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var("PITCANARY_DATA").unwrap_or_else(|_| default.to_owned());
    let folder = PathBuf::from(root).join(name);
    if !folder.is_dir() {
        eprintln!("skipped: `{name}` is not in the data folder; set PITCANARY_DATA");
        return None;
    }
    Some(folder)
}
