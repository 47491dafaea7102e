//! Calls by name with encoded messages, for an embedding process.
//!
//! The same handlers and the same limits as over a socket; only the network is left
//! out. Streams have no meaning here.

use prost::Message;
use tonic::Status;

use super::handlers::Handlers;
use crate::transport::limits::MAX_MESSAGE_BYTES;

impl Handlers {
    /// Answers the call of that name in `SidecarService`.
    ///
    /// # Errors
    ///
    /// The status that the call would have over a socket.
    pub fn invoke(&self, method: &str, request: &[u8]) -> Result<Vec<u8>, Status> {
        if request.len() > MAX_MESSAGE_BYTES {
            return Err(Status::out_of_range(format!(
                "the request has `{}` bytes: send at most `{MAX_MESSAGE_BYTES}`",
                request.len()
            )));
        }
        match method {
            "ResolvePrompt" => answer(request, |request| self.resolve(request)),
            "ResolvePrompts" => answer(request, |request| self.resolve_batch(request)),
            "ConfirmExposure" => answer(request, |request| self.confirm(request)),
            "ReportOutcome" => answer(request, |request| self.report(request)),
            "ReportScore" => answer(request, |request| self.score(request)),
            _ => Err(Status::unimplemented(format!(
                "`{method}` is no call of SidecarService"
            ))),
        }
    }
}

fn answer<Request: Message + Default, Answer: Message>(
    request: &[u8],
    handle: impl FnOnce(&Request) -> Result<Answer, Status>,
) -> Result<Vec<u8>, Status> {
    let request = Request::decode(request)
        .map_err(|error| Status::invalid_argument(format!("the request is no message: {error}")))?;
    Ok(handle(&request)?.encode_to_vec())
}
