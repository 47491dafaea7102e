//! Accepts connections from all listeners, and closes those over the limit.
//!
//! A failure to accept never ends the server: it is counted, and when the
//! system is out of resources the listeners rest for a moment instead of
//! spinning.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

use super::bind::Listener;
use super::connection::{Connection, ConnectionOptions, Peer};
use super::registry::{Registry, Slot};

/// How long to rest when the system has no descriptor or memory left.
const REST: Duration = Duration::from_millis(50);

pub(super) struct Incoming {
    pub(super) listeners: Vec<Listener>,
    pub(super) registry: Arc<Registry>,
    pub(super) options: ConnectionOptions,
    /// The listener that is asked first, so that none is starved.
    first: usize,
    rest: Option<Pin<Box<Sleep>>>,
}

enum Socket {
    Tcp(TcpStream, Peer),
    Unix(UnixStream, Peer),
}

impl Incoming {
    pub(super) fn new(
        listeners: Vec<Listener>,
        registry: Arc<Registry>,
        options: ConnectionOptions,
    ) -> Self {
        Self {
            listeners,
            registry,
            options,
            first: 0,
            rest: None,
        }
    }

    /// Asks each listener once, starting behind the one that answered last.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        let count = self.listeners.len();
        for index in (self.first..self.first + count).map(|index| index % count) {
            if let Poll::Ready(accepted) = poll_listener(&self.listeners[index], context) {
                self.first = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    fn connect(&self, socket: Socket, slot: Slot) -> Connection {
        match socket {
            Socket::Tcp(stream, peer) => Connection::new(stream, peer, slot, self.options),
            Socket::Unix(stream, peer) => Connection::new(stream, peer, slot, self.options),
        }
    }

    fn rest_after(&mut self, error: &io::Error) {
        self.registry.counters().accept_errors.add(1);
        let of_the_peer = matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::Interrupted
        );
        if !of_the_peer {
            self.rest = Some(Box::pin(sleep(REST)));
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(context));
                self.rest = None;
            }
            match ready!(self.poll_accept(context)) {
                Ok(socket) => {
                    if let Some(slot) = self.registry.enter() {
                        return Poll::Ready(Some(Ok(self.connect(socket, slot))));
                    }
                }
                Err(error) => self.rest_after(&error),
            }
        }
    }
}

fn poll_listener(listener: &Listener, context: &mut Context<'_>) -> Poll<io::Result<Socket>> {
    Poll::Ready(match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = ready!(listener.poll_accept(context))?;
            // A request and its answer are small; waiting to fill a segment only delays them.
            stream.set_nodelay(true)?;
            Ok(Socket::Tcp(stream, Peer::Tcp(address)))
        }
        Listener::Unix(listener, _) => {
            let (stream, _) = ready!(listener.poll_accept(context))?;
            let credentials = stream.peer_cred().ok();
            Ok(Socket::Unix(stream, Peer::Unix(credentials)))
        }
    })
}
