//! Sends the responses of one wake-up with one system call.
//!
//! The HTTP/2 stack below tonic flushes after every large DATA frame, so each
//! response costs two writes and half of the server's time. [`Coalesce`] sits
//! between that stack and the socket: a flush only asks for another turn at
//! the back of the run queue, behind the handlers that are ready, and that
//! turn sends what all of them wrote. There is no timer and no waiting.
//!
//! It refuses to trust its owner to come back: a backstop task per connection
//! sends what the owner left behind for one whole turn. The wrapper can go
//! when the stack learns to put several DATA frames into one write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

pub use super::send_queue::BUFFER_BYTES;
use super::send_queue::SendQueue;

/// A connection whose writes are gathered and sent together.
///
/// A flush reports success before the bytes have left; they leave within one
/// turn of the run queue whatever the owner does next, a shutdown waits for
/// them, and a send that fails is reported by the next write, flush or
/// shutdown. At most [`BUFFER_BYTES`] wait; beyond that, writes block as the
/// socket's own would. Dropping the connection tries once more to send.
pub struct Coalesce<IO: AsyncWrite + Unpin> {
    queue: Arc<Mutex<SendQueue<IO>>>,
}

impl<IO: AsyncWrite + Unpin + Send + 'static> Coalesce<IO> {
    /// Wraps a connection.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as tokio's own sockets do.
    pub fn new(io: IO) -> Self {
        let queue = Arc::new(Mutex::new(SendQueue::new(io)));
        tokio::spawn(Backstop {
            queue: Arc::downgrade(&queue),
            seen: None,
        });
        Self { queue }
    }
}

impl<IO: AsyncWrite + Unpin> Coalesce<IO> {
    /// Writes by `push`, which returns how many bytes found room.
    fn poll_push(
        &self,
        context: &Context<'_>,
        push: impl FnOnce(&mut SendQueue<IO>) -> usize,
    ) -> Poll<io::Result<usize>> {
        let mut queue = self.queue.lock();
        queue.check()?;
        if queue.is_full() {
            if let Poll::Ready(Err(error)) = queue.send() {
                return Poll::Ready(Err(error));
            }
            if queue.is_full() {
                queue.wait(context.waker());
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(push(&mut queue)))
    }

    /// Sends everything, and returns the queue to go on with.
    fn poll_send_all(
        &self,
        context: &Context<'_>,
    ) -> Poll<io::Result<MutexGuard<'_, SendQueue<IO>>>> {
        let mut queue = self.queue.lock();
        if queue.send()?.is_pending() {
            queue.wait(context.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(queue))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Coalesce<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut queue = self.queue.lock();
        if queue.has_pending() {
            // A peer that no longer listens may still have something to say:
            // the failure waits for the next write.
            let _ = queue.send();
        }
        Pin::new(&mut queue.io).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Coalesce<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_push(context, |queue| queue.push(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_push(context, |queue| {
            slices.iter().map(|slice| queue.push(slice)).sum()
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut queue = self.queue.lock();
        queue.check()?;
        if queue.has_pending() && !queue.turn_requested {
            queue.turn_requested = true;
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut queue = ready!(self.poll_send_all(context))?;
        Pin::new(&mut queue.io).poll_shutdown(context)
    }
}

impl<IO: AsyncWrite + Unpin + Connected> Connected for Coalesce<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.queue.lock().io.connect_info()
    }
}

impl<IO: AsyncWrite + Unpin> Drop for Coalesce<IO> {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        if queue.has_pending() {
            // A plain socket would have handed these bytes to the kernel already.
            let _ = queue.send();
        }
        queue.dismiss_backstop();
    }
}

/// Sends what the owner of a connection wrote and left behind.
///
/// Woken by the first bytes, it goes once to the back of the run queue. An
/// owner that polls has sent by then; for any other, the backstop sends. It is
/// also the one that the socket wakes when it has room again.
struct Backstop<IO> {
    queue: Weak<Mutex<SendQueue<IO>>>,
    /// How many sends were complete when the pending bytes were first seen.
    seen: Option<u64>,
}

impl<IO: AsyncWrite + Unpin> Future for Backstop<IO> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(queue) = self.queue.upgrade() else {
            return Poll::Ready(());
        };
        let Some(mut queue) = queue.try_lock() else {
            // The owner is at work on another thread; its turn is short.
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        if !queue.enter_backstop(context.waker()) {
            return Poll::Ready(());
        }
        if !queue.has_pending() {
            self.seen = None;
        } else if self.seen == Some(queue.sends) {
            // Blocked or failed: the socket wakes this task, the owner is told.
            let _ = queue.send();
        } else {
            self.seen = Some(queue.sends);
            queue.call_backstop();
        }
        Poll::Pending
    }
}
