//! Where the controller is and how it is reached.
//!
//! One channel carries the config stream and the uploads; it connects when it is
//! first used and again after every failure, so building it never waits.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds a peer that vanished without closing, where the application is silent.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The address of the controller is not one.
#[derive(Debug, thiserror::Error)]
#[error("`{address}` is no controller address ({reason}): give `HOST:PORT` or `unix:/PATH`")]
pub struct AddressError {
    address: String,
    reason: String,
}

/// A channel to `HOST:PORT`, `http://HOST:PORT` or `unix:/PATH`.
///
/// # Errors
///
/// When the address has none of these forms.
pub fn channel(address: &str) -> Result<Channel, AddressError> {
    let refuse = |reason: String| AddressError {
        address: address.to_owned(),
        reason,
    };
    let uri = match address.split_once(':') {
        Some(("unix" | "http", _)) => address.to_owned(),
        Some((host, port)) if !host.is_empty() && !port.is_empty() => format!("http://{address}"),
        _ => return Err(refuse("the port is missing".to_owned())),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|error| refuse(error.to_string()))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .tcp_nodelay(true)
        .connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn three_forms_are_addresses() {
        for address in [
            "localhost:7071",
            "[::1]:7071",
            "http://10.0.0.1:7071",
            "unix:/run/a.sock",
        ] {
            assert!(channel(address).is_ok(), "{address}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused_with_what_to_give() {
        for address in [
            "",
            "localhost",
            ":7071",
            "localhost:",
            "https://a b:1",
            "a b:1",
        ] {
            let error = channel(address).unwrap_err().to_string();
            assert!(error.contains("give `HOST:PORT`"), "{error}");
        }
    }
}
