//! One connection of a report stream: numbers in, acknowledgements out.
//!
//! Reads while there is something to read, answers as soon as there is not, and stops
//! reading when too much is not durable: a client that outlives its controller is
//! slowed down, never refused. What a number means is `streams`' business.

use std::future::ready;
use std::sync::Arc;

use pitcanary_core::report::{Recorded, Reject};
use pitcanary_core::v1;
use pitcanary_core::v1::RejectCode;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::handlers::Handlers;
use super::reports::{numbered, refusal};
use super::streams::{Arrival, ClientStream, Durability};

/// Reports of one stream that may be counted but not durable.
const MAX_NOT_DURABLE: u64 = 10_000;

/// Reports that are answered together at most.
const ANSWER_EVERY: usize = 64;

const MAX_ID_BYTES: usize = 200;

/// What a connection hears and answers.
pub(super) type Incoming = Streaming<v1::ReportOutcomesRequest>;
pub(super) type Answers = mpsc::Sender<Result<v1::ReportOutcomesResponse, Status>>;

/// A connection of a client's stream.
pub(super) struct ReportStream {
    handlers: Arc<Handlers>,
    incoming: Incoming,
    answers: Answers,
    /// The server ends: nothing more is read.
    ending: watch::Receiver<bool>,
}

/// How far this connection has come.
struct Conversation {
    stream: Arc<ClientStream>,
    durability: watch::Receiver<Durability>,
    rejects: Vec<v1::Reject>,
    /// Reports heard since the last answer.
    unanswered: usize,
    /// The client may still send.
    is_open: bool,
}

/// What wakes a connection.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once")]
enum Event {
    /// The client sent a report.
    Heard(v1::ReportOutcomesRequest),
    /// No more reports come, or none is taken any more.
    Closed,
    /// Nothing is there to read, and something to answer.
    Quiet,
    /// More of the stream is durable.
    Durable,
}

impl ReportStream {
    pub(super) const fn new(
        handlers: Arc<Handlers>,
        incoming: Incoming,
        answers: Answers,
        ending: watch::Receiver<bool>,
    ) -> Self {
        Self {
            handlers,
            incoming,
            answers,
            ending,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        if let Err(status) = self.converse().await {
            // Nobody is there to hear it when the client has gone.
            let _ = self.answers.send(Err(status)).await;
        }
    }

    async fn converse(&mut self) -> Result<(), Status> {
        let Some(first) = self.incoming.message().await? else {
            return Ok(());
        };
        let mut conversation = self.open(&first)?;
        self.hear(&mut conversation, &first)?;
        while conversation.is_open || conversation.not_durable()? > 0 {
            match self.next(&mut conversation).await? {
                Event::Heard(report) => {
                    self.hear(&mut conversation, &report)?;
                    if conversation.unanswered < ANSWER_EVERY {
                        continue;
                    }
                }
                Event::Closed => conversation.is_open = false,
                Event::Quiet | Event::Durable => {}
            }
            self.answer(&mut conversation).await?;
        }
        Ok(())
    }

    /// What happens next; reports that are there already come before everything else.
    async fn next(&mut self, conversation: &mut Conversation) -> Result<Event, Status> {
        let is_open = conversation.is_open;
        let reads = is_open && conversation.not_durable()? < MAX_NOT_DURABLE;
        tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending), if is_open => Ok(Event::Closed),
            report = self.incoming.message(), if reads => {
                Ok(report?.map_or(Event::Closed, Event::Heard))
            }
            () = ready(()), if conversation.unanswered > 0 => Ok(Event::Quiet),
            // Cannot fail: the conversation holds the stream and its sender.
            _ = conversation.durability.changed() => Ok(Event::Durable),
        }
    }

    fn open(&self, first: &v1::ReportOutcomesRequest) -> Result<Conversation, Status> {
        let id = first.client_stream_id.as_str();
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(Status::invalid_argument(
                "`client_stream_id` must have 1 to 200 bytes: choose one at random",
            ));
        }
        if first.seq == 0 {
            return Err(Status::invalid_argument("`seq` counts from 1"));
        }
        let stream = self.handlers.recording.streams().open(id, first.seq);
        let stream = stream.map_err(|error| Status::resource_exhausted(error.to_string()))?;
        Ok(Conversation {
            durability: stream.durability(),
            stream,
            rejects: Vec::new(),
            unanswered: 0,
            is_open: true,
        })
    }

    /// Counts one report.
    fn hear(
        &self,
        conversation: &mut Conversation,
        request: &v1::ReportOutcomesRequest,
    ) -> Result<(), Status> {
        let stream = &conversation.stream;
        if request.client_stream_id != stream.client_stream_id() {
            return Err(Status::invalid_argument(
                "`client_stream_id` changed: open another call for another stream",
            ));
        }
        let streams = self.handlers.recording.streams();
        let arrival = streams.arrive(stream, request.seq, || self.count(request))?;
        match arrival {
            Arrival::Recorded(reject) => {
                let reject = reject.map(|reject| numbered(request.seq, reject));
                conversation.rejects.extend(reject);
            }
            Arrival::Repeated => {}
            Arrival::Gap { expected } => {
                return Err(Status::invalid_argument(format!(
                    "`seq` is `{}` where `{expected}` comes next: send every report once, in order",
                    request.seq
                )));
            }
        }
        conversation.unanswered += 1;
        Ok(())
    }

    /// Counts the report, or says why it is not; fails when it should come again later.
    fn count(&self, request: &v1::ReportOutcomesRequest) -> Result<Option<Reject>, Status> {
        let empty = v1::ReportOutcomeRequest::default();
        let report = request.report.as_ref().unwrap_or(&empty);
        match self.handlers.try_report(report)? {
            Ok((Recorded { .. }, false)) => Ok(None),
            Ok((Recorded { .. }, true)) => Ok(Some(duplicate())),
            Err(reject) if reject.code == RejectCode::Overloaded => Err(refusal(&reject)),
            Err(reject) => Ok(Some(reject)),
        }
    }

    async fn answer(&self, conversation: &mut Conversation) -> Result<(), Status> {
        let accepted_through = conversation.stream.accepted_through();
        conversation.unanswered = 0;
        let answer = v1::ReportOutcomesResponse {
            accepted_through,
            durable_through: conversation.durable()?,
            rejects: std::mem::take(&mut conversation.rejects),
        };
        let sent = self.answers.send(Ok(answer)).await;
        sent.map_err(|_| Status::cancelled("the client has gone"))
    }
}

impl Conversation {
    /// Everything up to this number survives the death of any one process.
    fn durable(&mut self) -> Result<u64, Status> {
        match *self.durability.borrow_and_update() {
            Durability::Through(durable) => Ok(durable),
            Durability::Lost => Err(Status::data_loss(
                "reports of this stream were dropped before they were durable: resend those \
                 above `durable_through` under a new `client_stream_id`",
            )),
        }
    }

    /// How many reports are counted but not durable.
    fn not_durable(&mut self) -> Result<u64, Status> {
        let durable = self.durable()?;
        Ok(self.stream.accepted_through().saturating_sub(durable))
    }
}

fn duplicate() -> Reject {
    Reject {
        code: RejectCode::Duplicate,
        message: "this token had been reported before: nothing was counted now".to_owned(),
    }
}
