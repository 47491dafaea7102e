//! Where the sidecar listens, as written in its configuration.
//!
//! Only loopback addresses and unix sockets are safe: the traffic between an
//! application and its sidecar is not encrypted. Binding is done in
//! [`super::bind`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::ListenError;

/// The longest path of a unix socket that every supported system takes.
///
/// `sun_path` holds 104 bytes on macOS and 108 on Linux with its closing zero;
/// the socket is first bound under a name that is four bytes longer.
const MAX_PATH_BYTES: usize = 99;

/// An address to listen on: `unix:PATH` or `tcp:IP:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// A unix socket at a path.
    Unix(PathBuf),
    /// A TCP port; port 0 lets the system choose.
    Tcp(SocketAddr),
}

impl ListenAddress {
    /// Tells whether only this machine can reach the address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenError;

    /// Reads `unix:PATH`, `unix:///PATH`, `tcp:IP:PORT` or `tcp:localhost:PORT`.
    ///
    /// Other host names are refused: a name may mean several addresses, and
    /// one of them may not be local.
    fn from_str(text: &str) -> Result<Self, ListenError> {
        let parsed = match text.split_once(':') {
            Some(("unix", path)) => parse_path(path).map(Self::Unix),
            Some(("tcp", socket)) => parse_socket(socket).map(Self::Tcp),
            _ => Err("it starts with neither `unix:` nor `tcp:`"),
        };
        parsed.map_err(|problem| ListenError::InvalidAddress {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse_path(path: &str) -> Result<PathBuf, &'static str> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.len() > MAX_PATH_BYTES {
        return Err("the path of a unix socket has at most 99 bytes");
    }
    if path.starts_with('@') || path.contains('\0') {
        return Err("abstract sockets have no file mode to protect them");
    }
    if Path::new(path).file_name().is_none() {
        return Err("the path names no file");
    }
    Ok(PathBuf::from(path))
}

fn parse_socket(socket: &str) -> Result<SocketAddr, &'static str> {
    if let Some(port) = socket.strip_prefix("localhost:") {
        let port = port
            .parse()
            .map_err(|_| "the port is not a number up to 65535")?;
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    socket
        .parse()
        .map_err(|_| "it is not an IP address and a port")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_reads_back_as_written() {
        for text in [
            "unix:/run/pitcanary.sock",
            "unix:here.sock",
            "tcp:127.0.0.1:0",
            "tcp:[::1]:50051",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("unix:///run/a.sock"), parse("unix:/run/a.sock"));
        assert_eq!(parse("tcp:localhost:80"), parse("tcp:127.0.0.1:80"));
    }

    #[test]
    fn only_loopback_and_unix_sockets_are_local() {
        for text in [
            "unix:a",
            "tcp:127.0.0.1:1",
            "tcp:127.9.9.9:1",
            "tcp:[::1]:1",
            "tcp:[::ffff:127.0.0.1]:1",
        ] {
            assert!(parse(text).is_local(), "{text}");
        }
        for text in [
            "tcp:0.0.0.0:1",
            "tcp:[::]:1",
            "tcp:10.0.0.1:1",
            "tcp:[::ffff:10.0.0.1]:1",
        ] {
            assert!(!parse(text).is_local(), "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_the_text_and_the_way_out() {
        let long = format!("unix:/{}", "a".repeat(MAX_PATH_BYTES));
        for text in [
            "",
            "50051",
            "http://localhost",
            "tcp:example.com:1",
            "tcp:localhost:99999",
            "unix:",
            "unix:/",
            "unix:@a",
            &long,
        ] {
            let message = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{text}`")), "{message}");
            assert!(message.contains("tcp:127.0.0.1:PORT"), "{message}");
        }
    }
}
