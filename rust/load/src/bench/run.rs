//! Runs one benchmark: connections, pace, phases, figures.
//!
//! One thread does everything, so that its processor share is known and
//! small. A run reports failures beside successes and never hides a call.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::call::Answer;
use super::clock::{duration_ns, now_ns, process_ns};
use super::connection::Connection;
use super::error::BenchError;
use super::quantiles::Quantiles;

/// Sleeping shorter than this wakes too late; the last stretch is spun.
const SPIN_NS: u64 = 100_000;

const READ_BYTES: usize = 256 * 1024;

/// When calls are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as an earlier one is answered: finds the throughput.
    Saturate,
    /// At fixed times, however slow the answers: finds the latency under a
    /// load. Latency counts from the time a call was due, so a stall is seen
    /// by every call that it delays.
    OpenLoop {
        /// Calls per second over all connections.
        per_second: f64,
    },
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `tcp:HOST:PORT` or `unix:PATH`.
    pub target: String,
    /// The method: `/package.Service/Method`.
    pub path: String,
    /// How many connections.
    pub connections: usize,
    /// How many calls at once on each; 1 on one connection is sequential.
    pub in_flight: u32,
    /// When calls are sent.
    pub pace: Pace,
    /// Time before anything is counted.
    pub warm_up: Duration,
    /// Time in which answers are counted.
    pub measure: Duration,
    /// Stop after so many answers, and keep their messages.
    pub capture: Option<u64>,
}

/// What a run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Calls answered with status 0.
    pub answers: u64,
    /// Failed calls by gRPC status; `None` for those without one.
    pub failures: BTreeMap<Option<u32>, u64>,
    /// Length of the measured phase.
    pub seconds: f64,
    /// Latency of the successful calls, in nanoseconds.
    pub latency_ns: Quantiles,
    /// Share of one core that the generator itself used.
    pub cpu_share: f64,
    /// Messages of the answers, if asked for, in the order of arrival.
    pub captured: Vec<Vec<u8>>,
}

impl Report {
    /// Successful calls per second.
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    fn add(&mut self, answer: Answer, now_ns: u64, capture: bool) {
        if answer.is_ok() {
            self.answers += 1;
            self.latency_ns
                .add(now_ns.saturating_sub(answer.started_ns));
            if capture {
                self.captured.push(answer.message);
            }
        } else {
            *self.failures.entry(answer.status).or_default() += 1;
        }
    }
}

/// Runs a plan. `message` appends the bytes of the next request.
pub fn run(plan: &Plan, message: &mut dyn FnMut(&mut Vec<u8>)) -> Result<Report, BenchError> {
    let mut runner = Runner::open(plan)?;
    runner.run_for(plan.warm_up, message)?;
    runner.report = Report::default();
    let (start, used) = (now_ns(), process_ns());
    runner.run_for(plan.measure, message)?;
    let elapsed = (now_ns() - start) as f64;
    runner.report.seconds = elapsed / 1e9;
    runner.report.cpu_share = (process_ns() - used) as f64 / elapsed;
    Ok(runner.report)
}

struct Runner<'a> {
    plan: &'a Plan,
    connections: Vec<Connection>,
    /// The connection that gets the next call of an open loop.
    turn: usize,
    /// When the next call of an open loop is due.
    due_ns: u64,
    buffer: Vec<u8>,
    report: Report,
}

impl<'a> Runner<'a> {
    fn open(plan: &'a Plan) -> Result<Self, BenchError> {
        let connections = (0..plan.connections.max(1)).map(|_| {
            Connection::open(
                &plan.target,
                &plan.path,
                plan.in_flight,
                plan.capture.is_some(),
            )
        });
        Ok(Self {
            plan,
            connections: connections.collect::<Result<_, _>>()?,
            turn: 0,
            due_ns: now_ns(),
            buffer: vec![0; READ_BYTES],
            report: Report::default(),
        })
    }

    fn run_for(
        &mut self,
        duration: Duration,
        message: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Result<(), BenchError> {
        let end_ns = now_ns() + duration_ns(duration);
        loop {
            let now = now_ns();
            if now >= end_ns || self.has_captured_enough() {
                return Ok(());
            }
            match self.plan.pace {
                Pace::Saturate => self.fill(now, message)?,
                Pace::OpenLoop { per_second } => self.send_due(now, per_second, message)?,
            }
            for connection in &mut self.connections {
                connection.send()?;
            }
            let ready = self.wait(self.wake_at(end_ns))?;
            self.receive(&ready)?;
        }
    }

    fn has_captured_enough(&self) -> bool {
        self.plan
            .capture
            .is_some_and(|wanted| self.report.answers >= wanted)
    }

    /// Brings every connection to its number of calls in flight.
    fn fill(&mut self, now: u64, message: &mut dyn FnMut(&mut Vec<u8>)) -> Result<(), BenchError> {
        for connection in &mut self.connections {
            while connection.has_room(self.plan.in_flight) {
                connection.http2.call(now, message)?;
            }
        }
        Ok(())
    }

    /// Sends the calls whose time has come, in turn over the connections.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an interval in nanoseconds is small and positive"
    )]
    fn send_due(
        &mut self,
        now: u64,
        per_second: f64,
        message: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Result<(), BenchError> {
        let interval_ns = ((1e9 / per_second) as u64).max(1);
        while self.due_ns <= now {
            let connection = &mut self.connections[self.turn];
            if !connection.has_room(self.plan.in_flight) {
                return Ok(());
            }
            connection.http2.call(self.due_ns, message)?;
            self.due_ns += interval_ns;
            self.turn = (self.turn + 1) % self.connections.len();
        }
        Ok(())
    }

    /// When to look again even if no answer comes.
    fn wake_at(&self, end_ns: u64) -> u64 {
        let room = self.connections[self.turn].has_room(self.plan.in_flight);
        match self.plan.pace {
            Pace::OpenLoop { .. } if room => end_ns.min(self.due_ns.saturating_sub(SPIN_NS)),
            _ => end_ns,
        }
    }

    /// Waits for a socket, at most until `until_ns`, and tells which can be read.
    fn wait(&self, until_ns: u64) -> Result<Vec<bool>, BenchError> {
        let left = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
        let timeout = Timespec::try_from(left).ok();
        let mut sockets: Vec<PollFd<'_>> = self
            .connections
            .iter()
            .map(|connection| {
                let blocked = !connection.http2.output.is_empty();
                let out = if blocked {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                };
                PollFd::new(&connection.socket, PollFlags::IN | out)
            })
            .collect();
        match poll(&mut sockets, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(BenchError::Wait(error.into())),
        }
        // A broken socket is ready too: reading it says what happened.
        Ok(sockets
            .iter()
            .map(|socket| !(socket.revents() - PollFlags::OUT).is_empty())
            .collect())
    }

    fn receive(&mut self, ready: &[bool]) -> Result<(), BenchError> {
        let capture = self.plan.capture.is_some();
        let connections = self.connections.iter_mut().zip(ready);
        for (connection, _) in connections.filter(|(_, ready)| **ready) {
            let report = &mut self.report;
            // One time per read: the answers of one read became visible together.
            let mut now = None;
            connection.receive(&mut self.buffer, &mut |answer| {
                report.add(answer, *now.get_or_insert_with(now_ns), capture);
            })?;
        }
        Ok(())
    }
}
