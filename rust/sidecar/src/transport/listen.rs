//! Listens, serves within limits, and drains.
//!
//! Composes the parts of this folder around tonic's own server. It knows no
//! service: the caller brings the routes.

use std::sync::Arc;

use tokio::pin;
use tokio::time::sleep;
use tonic::service::Routes;
use tonic::transport::Server;

use super::accept::Incoming;
use super::address::ListenAddress;
use super::bind::Listener;
use super::connection::ConnectionOptions;
use super::counters::Counters;
use super::error::ListenError;
use super::limits::Limits;
use super::registry::Registry;
use super::shutdown::Shutdown;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// At least one address.
    pub addresses: Vec<ListenAddress>,
    /// Allows addresses that other machines can reach, without encryption.
    pub insecure_listen: bool,
    /// Sends the answers of one wake-up together ([`super::coalesce`]).
    pub coalesce_writes: bool,
    /// What a peer may ask.
    pub limits: Limits,
}

impl ListenOptions {
    /// The defaults at the given addresses.
    pub fn new(addresses: impl IntoIterator<Item = ListenAddress>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            insecure_listen: false,
            coalesce_writes: true,
            limits: Limits::default(),
        }
    }
}

/// Bound sockets that wait to be served.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<Listener>,
    addresses: Vec<ListenAddress>,
    counters: Arc<Counters>,
    coalesce_writes: bool,
    limits: Limits,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were cut because the deadline was over; 0 after a clean drain.
    pub aborted_connections: u64,
}

impl Listeners {
    /// Binds every address, or none.
    ///
    /// The kernel accepts connections from here on; they wait until [`Self::serve`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as tokio's own sockets do.
    pub fn bind(options: ListenOptions) -> Result<Self, ListenError> {
        if options.addresses.is_empty() {
            return Err(ListenError::NoAddress);
        }
        let bound: Result<Vec<_>, _> = options
            .addresses
            .iter()
            .map(|address| Listener::bind(address, options.insecure_listen))
            .collect();
        let (sockets, addresses) = bound?.into_iter().unzip();
        Ok(Self {
            sockets,
            addresses,
            counters: Arc::default(),
            coalesce_writes: options.coalesce_writes,
            limits: options.limits,
        })
    }

    /// The bound addresses, in the order given, with the ports the system chose.
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// The counts of connections, which stay readable after the server ends.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Serves until a drain is asked for and done.
    ///
    /// A drain closes the listeners and removes their socket files at once,
    /// tells every client to go away, lets calls in flight finish, and cuts
    /// the connections that are still open at the deadline.
    pub async fn serve(self, routes: Routes, shutdown: Shutdown) -> Result<Drained, ListenError> {
        let registry = Registry::new(self.limits.max_connections, self.counters);
        let options = ConnectionOptions {
            coalesce_writes: self.coalesce_writes,
            handshake_timeout: self.limits.handshake_timeout,
        };
        let incoming = Incoming::new(self.sockets, Arc::clone(&registry), options);
        let requested = async {
            shutdown.requested().await;
        };
        let serving = server(&self.limits)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, requested);
        pin!(serving);
        let deadline = async { sleep(shutdown.requested().await).await };
        tokio::select! {
            ended = &mut serving => {
                ended?;
                return Ok(Drained { aborted_connections: 0 });
            }
            () = deadline => {}
        }
        let aborted_connections = registry.cut_all();
        serving.await?;
        Ok(Drained {
            aborted_connections,
        })
    }
}

fn server(limits: &Limits) -> Server {
    Server::builder()
        .max_concurrent_streams(limits.max_concurrent_streams)
        .http2_max_header_list_size(limits.max_header_list_bytes)
        .http2_max_pending_accept_reset_streams(Some(limits.max_pending_reset_streams))
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
}
