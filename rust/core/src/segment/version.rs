//! Ranges of semantic versions.

use semver::{Version, VersionReq};

/// A range, and whether any of its comparators names a pre-release.
#[derive(Debug, Clone)]
pub(super) struct VersionRange {
    range: VersionReq,
    names_prerelease: bool,
}

impl VersionRange {
    pub(super) fn new(text: &str) -> Option<Self> {
        let range = VersionReq::parse(text).ok()?;
        let names_prerelease = range.comparators.iter().any(|part| !part.pre.is_empty());
        Some(Self {
            range,
            names_prerelease,
        })
    }

    /// Tells whether the text is a version in the range.
    ///
    /// Build metadata is not compared. It is cut off first, and a pre-release that no
    /// comparator could match is refused first, because parsing long ones allocates.
    pub(super) fn contains(&self, text: &str) -> bool {
        let release = text.split_once('+').map_or(text, |(release, _)| release);
        if release.contains('-') && !self.names_prerelease {
            return false;
        }
        Version::parse(release).is_ok_and(|version| self.range.matches(&version))
    }
}
