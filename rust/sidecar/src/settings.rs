//! What a sidecar is told at its start.
//!
//! Values only, with the checks that need no system: whether a port is free or a
//! folder writable shows when it is used. Flags and variables are Python's business.

use std::path::PathBuf;

use crate::configuration::Place;
use crate::error::StartError;
use crate::transport::address::ListenAddress;
use crate::transport::error::ListenError;

/// Frames that wait for the controller, all together.
pub const DEFAULT_SPOOL_BYTES: usize = 16 * 1024 * 1024;

const MAX_NAME_BYTES: usize = 200;
const MAX_WORKERS: usize = 256;

/// Everything a sidecar is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to serve; only addresses that this machine alone can reach. May be
    /// empty, for a sidecar inside of an application.
    pub listen: Vec<String>,
    /// Where to serve although other machines can reach it, without encryption.
    pub insecure_listen: Vec<String>,
    /// `HOST:PORT` or `unix:/PATH` of the controller; empty: none.
    pub controller: String,
    /// Folder of the last good snapshot; one process at a time.
    pub data_dir: PathBuf,
    /// Identity of this reporter, stable over restarts.
    pub sidecar_id: String,
    /// What it serves.
    pub place: Place,
    /// Threads that serve.
    pub workers: usize,
    /// Sends the answers of one wake-up together.
    pub coalesce: bool,
    /// The clock is set by hand and uploads happen when asked for.
    pub replay: bool,
    /// Frames that may wait for the controller.
    pub spool_bytes: usize,
}

impl Settings {
    /// The defaults for a folder and an identity, listening nowhere.
    pub fn new(data_dir: impl Into<PathBuf>, sidecar_id: &str, place: Place) -> Self {
        Self {
            listen: Vec::new(),
            insecure_listen: Vec::new(),
            controller: String::new(),
            data_dir: data_dir.into(),
            sidecar_id: sidecar_id.to_owned(),
            place,
            workers: 1,
            coalesce: true,
            replay: false,
            spool_bytes: DEFAULT_SPOOL_BYTES,
        }
    }

    /// Checks what no later step checks.
    ///
    /// # Errors
    ///
    /// [`StartError::Setting`] for the first setting without a meaning.
    pub fn check(&self) -> Result<(), StartError> {
        let names = [
            ("sidecar_id", &self.sidecar_id),
            ("namespace", &self.place.namespace),
            ("environment", &self.place.environment),
        ];
        let unusable = |text: &str| text.is_empty() || text.len() > MAX_NAME_BYTES;
        let name = names.into_iter().find(|(_, text)| unusable(text));
        let name = name.map(|(name, text)| (name, text.clone(), "give 1 to 200 bytes"));
        let workers = (!(1..=MAX_WORKERS).contains(&self.workers))
            .then(|| ("workers", self.workers.to_string(), "give 1 to 256"));
        match name.or(workers) {
            Some((name, value, rule)) => Err(StartError::Setting { name, value, rule }),
            None => Ok(()),
        }
    }

    /// All addresses to listen on; an address without a scheme is a TCP address.
    ///
    /// # Errors
    ///
    /// When one is no address, or one of `listen` can be reached by other machines.
    pub fn listen_addresses(&self) -> Result<Vec<ListenAddress>, ListenError> {
        let mut addresses = Vec::new();
        for text in &self.listen {
            let address = parse_address(text)?;
            if !address.is_local() {
                return Err(ListenError::NotLoopback { address });
            }
            addresses.push(address);
        }
        for text in &self.insecure_listen {
            addresses.push(parse_address(text)?);
        }
        Ok(addresses)
    }
}

fn parse_address(text: &str) -> Result<ListenAddress, ListenError> {
    if text.starts_with("unix:") || text.starts_with("tcp:") {
        text.parse()
    } else {
        format!("tcp:{text}").parse()
    }
}

/// An address as users write it: `127.0.0.1:7070` or `unix:/PATH`.
pub fn address_text(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(socket) => socket.to_string(),
        ListenAddress::Unix(_) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &[&str], insecure: &[&str]) -> Settings {
        let place = Place {
            namespace: "default".to_owned(),
            environment: "test".to_owned(),
        };
        Settings {
            listen: listen.iter().map(ToString::to_string).collect(),
            insecure_listen: insecure.iter().map(ToString::to_string).collect(),
            ..Settings::new("data", "here", place)
        }
    }

    #[test]
    fn a_scheme_may_be_left_out_for_tcp() {
        let settings = settings(&["127.0.0.1:0", "tcp:[::1]:9", "unix:/run/a.sock"], &[]);
        let addresses = settings.listen_addresses().unwrap();
        let texts: Vec<String> = addresses.iter().map(address_text).collect();
        assert_eq!(texts, ["127.0.0.1:0", "[::1]:9", "unix:/run/a.sock"]);
    }

    #[test]
    fn settings_without_a_meaning_are_refused_by_name() {
        assert!(settings(&[], &[]).check().is_ok());
        let workers = Settings {
            workers: 0,
            ..settings(&[], &[])
        };
        let nameless = Settings {
            sidecar_id: String::new(),
            ..settings(&[], &[])
        };
        for (wrong, name) in [(workers, "`workers`"), (nameless, "`sidecar_id`")] {
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn other_machines_are_let_in_only_by_the_insecure_list() {
        let refused = settings(&["0.0.0.0:1"], &["10.0.0.1:2"]).listen_addresses();
        assert!(matches!(refused, Err(ListenError::NotLoopback { .. })));
        assert_eq!(
            settings(&[], &["0.0.0.0:1"])
                .listen_addresses()
                .unwrap()
                .len(),
            1
        );
    }
}
