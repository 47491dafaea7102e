//! Snapshots go from a real controller to the disk and into force, or are refused.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pitcanary_core::snapshot::ConfigVersion;
use pitcanary_core::v1;
use pitcanary_sidecar::brakes::Brakes;
use pitcanary_sidecar::clock::Clock;
use pitcanary_sidecar::configuration::{Configuration, Place};
use pitcanary_sidecar::control::endpoint::channel;
use pitcanary_sidecar::control::installer::{ConfigurationInstaller, Identity};
use pitcanary_sidecar::control::stream::{ConfigStream, Installer};
use pitcanary_sidecar::counters::LinkCounters;
use pitcanary_sidecar::files::snapshot::SnapshotFiles;
use pitcanary_sidecar::random::Random;
use tokio::time::timeout;

use crate::controller::{Controller, Heard, Said};

const SOON: Duration = Duration::from_secs(20);
const BOOT: [u8; 16] = [3; 16];

struct Fixture {
    folder: tempfile::TempDir,
    controller: Controller,
    clock: Clock,
    configuration: Arc<Configuration>,
    brakes: Arc<Brakes>,
    installer: Arc<ConfigurationInstaller>,
    counters: Arc<LinkCounters>,
}

fn place() -> Place {
    Place {
        namespace: "default".to_owned(),
        environment: "test".to_owned(),
    }
}

fn configuration(folder: &Path, clock: &Clock) -> Configuration {
    let files = SnapshotFiles::open(folder).unwrap();
    Configuration::new(place(), files, clock.clone(), [7; 32])
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::replay();
    let configuration = Arc::new(configuration(folder.path(), &clock));
    let brakes = Arc::<Brakes>::default();
    let counters = Arc::<LinkCounters>::default();
    let identity = Identity {
        sidecar_id: "here".to_owned(),
        boot_id: BOOT,
        place: place(),
    };
    let installer = ConfigurationInstaller::new(
        identity,
        Arc::clone(&configuration),
        Arc::clone(&brakes),
        Arc::clone(&counters),
    );
    Fixture {
        controller: Controller::new(folder.path()),
        folder,
        clock,
        configuration,
        brakes,
        installer: Arc::new(installer),
        counters,
    }
}

impl Fixture {
    /// Keeps a stream up for as long as the steps take.
    async fn streaming<T>(&self, steps: impl Future<Output = T>) -> T {
        Self::with_stream(self.stream(), steps).await
    }

    fn stream(&self) -> ConfigStream {
        ConfigStream::new(
            channel(&self.controller.address()).unwrap(),
            Arc::clone(&self.installer) as Arc<dyn Installer>,
            Random::from_seed(1),
            Arc::clone(&self.counters),
            self.brakes.changes(),
        )
    }

    async fn with_stream<T>(stream: ConfigStream, steps: impl Future<Output = T>) -> T {
        tokio::select! {
            () = stream.run() => unreachable!("a stream is opened again for ever"),
            done = timeout(SOON, steps) => done.unwrap(),
        }
    }

    fn stored(&self) -> Option<ConfigVersion> {
        configuration(self.folder.path(), &self.clock).restore()
    }

    fn age_ms(&self) -> u64 {
        let serving = self.configuration.serving();
        self.configuration
            .freshness(serving.as_ref().unwrap())
            .age_ms
    }
}

fn version(store_incarnation: u64, revision: u64) -> v1::ConfigVersion {
    v1::ConfigVersion {
        store_incarnation,
        revision,
    }
}

fn snapshot(config_version: v1::ConfigVersion) -> v1::Snapshot {
    v1::Snapshot {
        config_version: Some(config_version),
        namespace: "default".to_owned(),
        environment: "test".to_owned(),
        stale_after_ms: 1_000,
        max_unattended_ms: 5_000,
        ..v1::Snapshot::default()
    }
}

fn push(config_version: v1::ConfigVersion) -> Said {
    Said::Snapshot(snapshot(config_version))
}

fn ack(config_version: v1::ConfigVersion) -> Heard {
    Heard::Ack(v1::Ack {
        config_version: Some(config_version),
    })
}

fn keep_alive(config_version: v1::ConfigVersion) -> Said {
    Said::KeepAlive(v1::KeepAlive {
        config_version: Some(config_version),
    })
}

#[tokio::test]
async fn a_stream_begins_with_who_is_there_and_what_is_served() {
    let mut fixture = fixture();
    fixture
        .configuration
        .install(&snapshot(version(1, 4)))
        .unwrap();
    fixture.controller.start();
    let Heard::Hello(hello) = fixture.streaming(fixture.controller.hears()).await else {
        panic!("the first message is not Hello");
    };
    assert_eq!(
        (hello.sidecar_id.as_str(), hello.boot_id.as_ref()),
        ("here", &BOOT[..])
    );
    assert_eq!(
        (hello.namespace.as_str(), hello.environment.as_str()),
        ("default", "test")
    );
    assert_eq!(hello.config_version, Some(version(1, 4)));
}

#[tokio::test]
async fn an_acknowledged_snapshot_is_on_disk_and_in_force() {
    let mut fixture = fixture();
    fixture.controller.start();
    fixture.controller.say(push(version(1, 7)));
    let heard = fixture
        .streaming(fixture.controller.hears_after_hello())
        .await;
    assert_eq!(heard, ack(version(1, 7)));
    assert_eq!(
        fixture.configuration.version(),
        Some(ConfigVersion::from(&version(1, 7)))
    );
    assert_eq!(fixture.stored(), Some(ConfigVersion::from(&version(1, 7))));
}

#[tokio::test]
async fn a_refused_snapshot_leaves_the_last_good_one() {
    let good = version(2, 7);
    let place = v1::Snapshot {
        environment: "elsewhere".to_owned(),
        ..snapshot(version(3, 0))
    };
    let capability = v1::Snapshot {
        required_capabilities: vec!["telepathy".to_owned()],
        ..snapshot(version(3, 0))
    };
    for (bad, word) in [
        (snapshot(version(2, 6)), "older"),
        (snapshot(version(1, 99)), "older"),
        (place, "default/elsewhere"),
        (capability, "telepathy"),
    ] {
        let mut fixture = fixture();
        fixture.configuration.install(&snapshot(good)).unwrap();
        fixture.controller.start();
        fixture.controller.say(Said::Snapshot(bad.clone()));
        let heard = fixture
            .streaming(fixture.controller.hears_after_hello())
            .await;
        let Heard::Nack(nack) = heard else {
            panic!("`{heard:?}` is no refusal");
        };
        assert!(nack.reason.contains(word), "{}", nack.reason);
        assert_eq!(
            (nack.config_version, nack.serving),
            (bad.config_version, Some(good))
        );
        assert_eq!(
            fixture.configuration.version(),
            Some(ConfigVersion::from(&good))
        );
        assert_eq!(fixture.stored(), Some(ConfigVersion::from(&good)));
        assert_eq!(fixture.counters.read().refused, 1);
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_served_is_refused_with_its_place() {
    let mut fixture = fixture();
    fixture.controller.start();
    fixture.controller.say(Said::Snapshot(v1::Snapshot {
        versions: vec![v1::Version::default()],
        ..snapshot(version(1, 1))
    }));
    let heard = fixture
        .streaming(fixture.controller.hears_after_hello())
        .await;
    assert!(matches!(heard, Heard::Nack(nack) if nack.reason.starts_with("version 0:")));
    assert_eq!(fixture.stored(), None);
}

#[tokio::test]
async fn a_restored_store_may_start_its_revisions_again() {
    let mut fixture = fixture();
    fixture
        .configuration
        .install(&snapshot(version(2, 7)))
        .unwrap();
    fixture.controller.start();
    fixture.controller.say(push(version(3, 1)));
    let heard = fixture
        .streaming(fixture.controller.hears_after_hello())
        .await;
    assert_eq!(heard, ack(version(3, 1)));
}

#[tokio::test]
async fn a_full_disk_does_not_delay_a_rollback() {
    let mut fixture = fixture();
    fixture
        .configuration
        .install(&snapshot(version(1, 1)))
        .unwrap();
    // A folder where the temporary file belongs makes every save fail.
    let obstacle = fixture.folder.path().join("snapshot.tmp");
    std::fs::create_dir(&obstacle).unwrap();
    fixture.controller.start();
    fixture.controller.say(push(version(1, 2)));
    let heard = fixture
        .streaming(fixture.controller.hears_after_hello())
        .await;
    assert!(matches!(heard, Heard::Nack(nack) if nack.serving == Some(version(1, 2))));
    assert_eq!(
        fixture.configuration.version(),
        Some(ConfigVersion::from(&version(1, 2)))
    );
    assert_eq!(fixture.stored(), Some(ConfigVersion::from(&version(1, 1))));

    std::fs::remove_dir(&obstacle).unwrap();
    fixture
        .configuration
        .install(&snapshot(version(1, 2)))
        .unwrap();
    assert_eq!(fixture.stored(), Some(ConfigVersion::from(&version(1, 2))));
}

#[tokio::test]
async fn a_lost_controller_is_found_again() {
    let mut fixture = fixture();
    for round in 1..=4 {
        fixture.controller.start();
        fixture.controller.say(push(version(1, round)));
        fixture
            .streaming(fixture.controller.hears_ack(version(1, round)))
            .await;
        assert!(fixture.counters.read().connected);
        fixture.controller.kill();
    }
    assert_eq!(fixture.stored(), Some(ConfigVersion::from(&version(1, 4))));
}

#[tokio::test]
async fn a_silent_controller_is_left_and_tried_again() {
    let mut fixture = fixture();
    fixture.controller.start();
    let stream = fixture
        .stream()
        .with_longest_silence(Duration::from_millis(50));
    let hellos = async {
        for _ in 0..3 {
            assert!(matches!(fixture.controller.hears().await, Heard::Hello(_)));
        }
    };
    Fixture::with_stream(stream, hellos).await;
}

#[tokio::test]
async fn only_the_word_about_the_version_in_force_confirms_it() {
    let mut fixture = fixture();
    fixture
        .configuration
        .install(&snapshot(version(1, 7)))
        .unwrap();
    fixture.clock.set(6_000_000).unwrap();
    let freshness = fixture
        .configuration
        .freshness(fixture.configuration.serving().as_ref().unwrap());
    assert_eq!(
        (freshness.age_ms, freshness.stale, freshness.unattended),
        (6_000, true, true)
    );
    fixture.controller.start();
    for (said, age_ms) in [(version(1, 8), 6_000), (version(1, 7), 0)] {
        let before = fixture.counters.read().messages;
        fixture.controller.say(keep_alive(said));
        let heard = async {
            while fixture.counters.read().messages == before {
                tokio::task::yield_now().await;
            }
        };
        fixture.streaming(heard).await;
        assert_eq!(fixture.age_ms(), age_ms);
    }
}

#[test]
fn a_damaged_newest_snapshot_gives_the_one_before() {
    let fixture = fixture();
    for revision in 1..=2 {
        fixture
            .configuration
            .install(&snapshot(version(1, revision)))
            .unwrap();
    }
    std::fs::write(fixture.folder.path().join("snapshot.1"), b"damaged").unwrap();
    assert_eq!(fixture.stored(), Some(ConfigVersion::from(&version(1, 1))));
}
