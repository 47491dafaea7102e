//! Kills a process in the middle of saving snapshots, again and again.
//!
//! The child is this very test program. After each kill the folder must hold a
//! whole snapshot, no older than the last one whose save had returned.
//! `PITCANARY_KILLS` sets how often; the default suits every run of the tests.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pitcanary_sidecar::files::snapshot::SnapshotFiles;

const FOLDER: &str = "PITCANARY_TEST_SNAPSHOT_FOLDER";

/// Large enough that a kill often falls into the write.
const CONTENT_BYTES: usize = 256 * 1024;

fn content(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(CONTENT_BYTES / 8)
}

/// The number that the content repeats; fails when it is not the same throughout.
fn number(content: &[u8]) -> u64 {
    let number = u64::from_le_bytes(*content.first_chunk().unwrap());
    assert!(
        content == self::content(number),
        "a mixed snapshot passed for whole"
    );
    number
}

#[test]
#[ignore = "the child of the test below; never returns by itself"]
fn saves_until_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let files = SnapshotFiles::open(Path::new(&folder)).unwrap();
    let start = files
        .load()
        .first()
        .map_or(0, |stored| number(&stored.content));
    let mut output = std::io::stdout();
    for next in start + 1.. {
        files.save(&content(next)).unwrap();
        writeln!(output, "\nsaved {next}").unwrap();
    }
}

fn child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "snapshot_kill::saves_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets the child save `saves` times, kills it, and returns the last save it announced.
fn kill_after(mut child: Child, saves: usize, pause_turns: usize) -> u64 {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut announced = lines.filter_map(|line| line.ok()?.strip_prefix("saved ")?.parse().ok());
    let last = announced.by_ref().take(saves).last().unwrap();
    // Moves the kill to another place within the next save.
    (0..pause_turns).for_each(|_| std::thread::yield_now());
    child.kill().unwrap();
    child.wait().unwrap();
    announced.last().unwrap_or(last)
}

#[test]
fn a_killed_save_never_leaves_less_than_the_last_good_snapshot() {
    let kills = std::env::var("PITCANARY_KILLS").map_or(24, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let files = SnapshotFiles::open(folder.path()).unwrap();
    for round in 0..kills {
        let announced = kill_after(child(folder.path()), 1 + round % 4, round * 37 % 1000);
        let stored = files.load();
        let newest = number(&stored.first().expect("no snapshot after a kill").content);
        assert!(
            newest >= announced,
            "round {round}: `{newest}` after `{announced}`"
        );
        assert!(stored.iter().all(|stored| number(&stored.content) > 0));
    }
}
