//! The last good configuration on disk, in two generations.
//!
//! A save never touches the newest file: it replaces the older of two slots by a
//! rename, so a crash at any moment leaves at least the generation before. A file
//! whose checksum, length, magic or version is wrong is no snapshot at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Names the kind of file.
const MAGIC: [u8; 8] = *b"pitcsnap";

/// Raised when the layout of the file changes.
const FORMAT: u32 = 1;

/// Magic, format, generation, length, SHA-256 of all three and the content.
const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 32;
const CHECKED_BYTES: usize = HEADER_BYTES - 32;

/// No configuration comes near it; a damaged length must not ask for memory.
const MAX_CONTENT_BYTES: u64 = 256 * 1024 * 1024;

const SLOTS: [&str; 2] = ["snapshot.0", "snapshot.1"];
const TEMPORARY: &str = "snapshot.tmp";

/// Why a snapshot could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotFileError {
    /// The folder cannot be made or read.
    #[error(
        "the data folder `{folder}` cannot be used: {source}; give `--data-dir` a writable folder"
    )]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("the snapshot cannot be saved to `{path}`: {source}; it would not survive a restart")]
    Save {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One snapshot read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Counts saves; the higher one is the newer.
    pub generation: u64,
    /// What was saved.
    pub content: Bytes,
}

/// A folder with two slots for snapshots; one process at a time.
#[derive(Debug)]
pub struct SnapshotFiles {
    folder: PathBuf,
}

impl SnapshotFiles {
    /// Uses the folder, and makes it (mode 0700) when it is not there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, SnapshotFileError> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|source| SnapshotFileError::Folder {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The snapshots that are whole, newest first; damaged ones are left out.
    pub fn load(&self) -> Vec<StoredSnapshot> {
        let mut whole: Vec<_> = SLOTS.iter().filter_map(|slot| self.read(slot)).collect();
        whole.sort_by_key(|stored| std::cmp::Reverse(stored.generation));
        whole
    }

    /// Saves a snapshot beside the newest one; when this returns it survives a crash.
    ///
    /// # Errors
    ///
    /// When a file cannot be written; what was stored before is still there.
    pub fn save(&self, content: &[u8]) -> Result<(), SnapshotFileError> {
        let generations = SLOTS.map(|slot| self.read(slot).map(|stored| stored.generation));
        let next = generations
            .iter()
            .flatten()
            .max()
            .map_or(1, |newest| newest.saturating_add(1));
        // `None` sorts first: a slot without a whole snapshot is the one to give up.
        let slot = if generations[0] <= generations[1] {
            SLOTS[0]
        } else {
            SLOTS[1]
        };
        let path = self.folder.join(slot);
        let saved = self.replace(&path, &header(next, content), content);
        saved.map_err(|source| SnapshotFileError::Save { path, source })
    }

    fn replace(&self, path: &Path, header: &[u8], content: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(TEMPORARY);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // `create_new` follows no link that somebody may have laid there.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(header)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn read(&self, slot: &str) -> Option<StoredSnapshot> {
        let file = File::open(self.folder.join(slot)).ok()?;
        let mut bytes = Vec::new();
        let limit = MAX_CONTENT_BYTES + HEADER_BYTES as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).ok()?;
        parse(bytes)
    }
}

fn header(generation: u64, content: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[12..20].copy_from_slice(&generation.to_le_bytes());
    header[20..28].copy_from_slice(&(content.len() as u64).to_le_bytes());
    let digest = digest(&header[..CHECKED_BYTES], content);
    header[CHECKED_BYTES..].copy_from_slice(&digest);
    header
}

fn digest(checked: &[u8], content: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(checked)
        .chain_update(content)
        .finalize()
        .into()
}

/// Reads a whole file, or `None` when a single bit of it is not as it was written.
fn parse(bytes: Vec<u8>) -> Option<StoredSnapshot> {
    let (header, content) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let (checked, expected) = header.split_at(CHECKED_BYTES);
    let length = u64::from_le_bytes(checked[20..28].try_into().ok()?);
    let sound = checked[..8] == MAGIC
        && checked[8..12] == FORMAT.to_le_bytes()
        && length == content.len() as u64
        && digest(checked, content) == expected;
    let generation = u64::from_le_bytes(checked[12..20].try_into().ok()?);
    sound.then(|| StoredSnapshot {
        generation,
        content: Bytes::from(bytes).slice(HEADER_BYTES..),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn files() -> (tempfile::TempDir, SnapshotFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::open(&folder.path().join("data")).unwrap();
        (folder, files)
    }

    fn contents(files: &SnapshotFiles) -> Vec<Vec<u8>> {
        files
            .load()
            .into_iter()
            .map(|stored| stored.content.to_vec())
            .collect()
    }

    #[test]
    fn the_two_newest_are_kept() {
        let (_folder, files) = files();
        assert!(files.load().is_empty());
        for number in 0..5_u8 {
            files.save(&[number; 9]).unwrap();
            let mut kept = vec![vec![number; 9]];
            kept.extend(number.checked_sub(1).map(|before| vec![before; 9]));
            assert_eq!(contents(&files), kept);
        }
    }

    #[test]
    fn any_truncation_falls_back_to_the_generation_before() {
        let (_folder, files) = files();
        files.save(b"first").unwrap();
        files.save(b"second, a little longer").unwrap();
        let newest = files.folder.join(SLOTS[1]);
        let whole = fs::read(&newest).unwrap();
        for length in 0..whole.len() {
            fs::write(&newest, &whole[..length]).unwrap();
            assert_eq!(contents(&files), [b"first"], "cut at byte {length}");
        }
        fs::write(&newest, [whole.as_slice(), b"x"].concat()).unwrap();
        assert_eq!(contents(&files), [b"first"], "one byte too many");
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let whole = [header(3, b"content").as_slice(), b"content"].concat();
        assert!(parse(whole.clone()).is_some());
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(damaged), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_snapshot(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(parse(bytes), None);
        }

        #[test]
        fn what_was_saved_is_what_is_read(content in prop::collection::vec(any::<u8>(), 0..300), generation: u64) {
            let bytes = [header(generation, &content).as_slice(), &content].concat();
            let content = Bytes::from(content);
            prop_assert_eq!(parse(bytes), Some(StoredSnapshot { generation, content }));
        }
    }

    #[test]
    fn a_damaged_slot_is_replaced_first() {
        let (_folder, files) = files();
        files.save(b"one").unwrap();
        files.save(b"two").unwrap();
        fs::write(files.folder.join(SLOTS[1]), b"rubbish").unwrap();
        files.save(b"three").unwrap();
        assert_eq!(contents(&files), [b"three".to_vec(), b"one".to_vec()]);
    }

    #[test]
    fn what_a_crash_left_behind_does_not_hinder() {
        let (_folder, files) = files();
        fs::write(files.folder.join(TEMPORARY), b"half a snap").unwrap();
        files.save(b"whole").unwrap();
        assert_eq!(contents(&files), [b"whole"]);
    }

    #[test]
    fn only_the_owner_reads_keys_and_prompts() {
        let (_folder, files) = files();
        files.save(b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.folder), 0o700);
        assert_eq!(mode(&files.folder.join(SLOTS[0])), 0o600);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let (_folder, files) = files();
        let file = files.folder.join("file");
        fs::write(&file, b"").unwrap();
        let error = SnapshotFiles::open(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("file/below"), "{error}");
    }
}
