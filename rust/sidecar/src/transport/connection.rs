//! One accepted connection, as the HTTP/2 stack sees it.
//!
//! Adds to the socket what the stack does not offer: a deadline for the first
//! bytes, a place in the [`Registry`](super::registry::Registry), and who the
//! peer is. Reading and writing are the socket's, coalesced or not.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use super::coalesce::Coalesce;
use super::registry::Slot;

/// The client's preface and the header of its SETTINGS (RFC 9113, 3.4).
const HANDSHAKE_BYTES: usize = 24 + 9;

/// Who is at the other end; a service finds it in the request's extensions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Peer {
    /// A process on a unix socket, with its credentials where the system tells them.
    Unix(Option<UCred>),
    /// A TCP peer.
    Tcp(SocketAddr),
}

/// A two-way byte stream.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// An accepted connection within the limits.
pub struct Connection {
    io: Box<dyn Duplex>,
    peer: Peer,
    handshake: Option<Handshake>,
    slot: Slot,
}

struct Handshake {
    deadline: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Connection {
    pub(super) fn new<IO>(io: IO, peer: Peer, slot: Slot, options: ConnectionOptions) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io: Box<dyn Duplex> = if options.coalesce_writes {
            Box::new(Coalesce::new(io))
        } else {
            Box::new(io)
        };
        let handshake = Handshake {
            deadline: Box::pin(sleep(options.handshake_timeout)),
            bytes_left: HANDSHAKE_BYTES,
        };
        Self {
            io,
            peer,
            handshake: Some(handshake),
            slot,
        }
    }

    fn check(&mut self, context: &Context<'_>) -> io::Result<()> {
        if self.slot.is_cut(context.waker()) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the deadline of the drain is over",
            ));
        }
        Ok(())
    }

    /// Books `count` bytes of the handshake, and fails when it takes too long.
    fn poll_handshake(&mut self, context: &mut Context<'_>, count: usize) -> io::Result<()> {
        let Some(handshake) = &mut self.handshake else {
            return Ok(());
        };
        handshake.bytes_left = handshake.bytes_left.saturating_sub(count);
        if handshake.bytes_left == 0 {
            self.handshake = None;
        } else if handshake.deadline.as_mut().poll(context).is_ready() {
            self.slot.counters().handshake_timeouts.add(1);
            self.handshake = None;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// How connections are treated from their first byte on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionOptions {
    pub(super) coalesce_writes: bool,
    pub(super) handshake_timeout: Duration,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let filled = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer)?;
        self.poll_handshake(context, buffer.filled().len() - filled)?;
        read.map(Ok)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}
