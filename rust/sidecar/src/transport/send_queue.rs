//! The bytes of one connection that wait to be sent, and the socket they go to.
//!
//! This is the part of [`super::coalesce`] that both the owner of the
//! connection and its backstop task touch, under one lock. It decides nothing
//! about *when* to send; it only keeps the order, the bound and the wake-ups.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;

/// The most bytes that may wait: enough for some fifty answers of 1 KiB.
pub const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct SendQueue<IO> {
    pub(super) io: IO,
    unsent: VecDeque<u8>,
    /// The socket took bytes that it may still hold back, as TLS does.
    unflushed: bool,
    /// Counts completed sends, so the backstop sees whether the owner sends by itself.
    pub(super) sends: u64,
    failure: Option<io::ErrorKind>,
    /// The owner, when it waits for room or for the last byte.
    owner: Option<Waker>,
    /// The one waker the socket knows for writing. It belongs to the backstop,
    /// which wakes the owner: a socket remembers a single writer, and an owner
    /// that lost interest would swallow the wake-up.
    backstop: Waker,
    backstop_duty: Duty,
    /// The owner has asked for another turn and has not sent since.
    pub(super) turn_requested: bool,
}

/// What the backstop task is about to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    Rest,
    /// It will be polled; another wake-up would be wasted.
    Look,
    /// The owner is gone.
    End,
}

impl<IO: AsyncWrite + Unpin> SendQueue<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            unsent: VecDeque::new(),
            unflushed: false,
            sends: 0,
            failure: None,
            owner: None,
            backstop: Waker::noop().clone(),
            // The backstop is spawned with the queue, and its first poll looks at it.
            backstop_duty: Duty::Look,
            turn_requested: false,
        }
    }

    pub(super) fn has_pending(&self) -> bool {
        self.failure.is_none() && (!self.unsent.is_empty() || self.unflushed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.unsent.len() == BUFFER_BYTES
    }

    /// Takes as many bytes as there is room for and returns their number.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        if self.unsent.capacity() == 0 {
            self.unsent.reserve_exact(BUFFER_BYTES);
        }
        let taken = bytes.len().min(BUFFER_BYTES - self.unsent.len());
        self.unsent.extend(&bytes[..taken]);
        if taken > 0 && self.backstop_duty == Duty::Rest {
            self.call_backstop();
        }
        taken
    }

    /// Sends all that waits.
    ///
    /// After `Pending` the socket wakes the backstop, never the caller; a
    /// caller that waits says so with [`Self::wait`].
    pub(super) fn send(&mut self) -> Poll<io::Result<()>> {
        self.check()?;
        let result = ready!(self.send_unsent());
        match &result {
            Ok(()) => {
                self.sends = self.sends.wrapping_add(1);
                self.turn_requested = false;
            }
            Err(error) => self.failure = Some(error.kind()),
        }
        self.wake_owner();
        Poll::Ready(result)
    }

    /// Fails as the socket has failed before.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failure.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Remembers who is woken when there is room again.
    pub(super) fn wait(&mut self, owner: &Waker) {
        if !self
            .owner
            .as_ref()
            .is_some_and(|known| known.will_wake(owner))
        {
            self.owner = Some(owner.clone());
        }
    }

    /// Takes note that the backstop runs now, and tells whether it still has an owner.
    pub(super) fn enter_backstop(&mut self, waker: &Waker) -> bool {
        self.backstop.clone_from(waker);
        if self.backstop_duty == Duty::Look {
            self.backstop_duty = Duty::Rest;
        }
        self.backstop_duty != Duty::End
    }

    /// Has the backstop polled, behind everything that is ready now.
    pub(super) fn call_backstop(&mut self) {
        self.backstop_duty = Duty::Look;
        self.backstop.wake_by_ref();
    }

    /// Lets the backstop end.
    pub(super) fn dismiss_backstop(&mut self) {
        self.backstop_duty = Duty::End;
        self.backstop.wake_by_ref();
    }

    fn send_unsent(&mut self) -> Poll<io::Result<()>> {
        let backstop = self.backstop.clone();
        let mut context = Context::from_waker(&backstop);
        while !self.unsent.is_empty() {
            let (front, back) = self.unsent.as_slices();
            let slices = [IoSlice::new(front), IoSlice::new(back)];
            let sent = ready!(Pin::new(&mut self.io).poll_write_vectored(&mut context, &slices))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
            self.unflushed = true;
            self.wake_owner();
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(&mut context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn wake_owner(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.wake();
        }
    }
}
