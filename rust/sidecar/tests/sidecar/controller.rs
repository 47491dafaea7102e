//! A real controller in this process, with the faults that tests ask for.
//!
//! It speaks the protocol over a socket and commits frames to memory that
//! outlives a kill, as a store would. It decides nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pitcanary_core::evidence::Bundle;
use pitcanary_core::v1;
use pitcanary_sidecar::v1::control_service_server::{ControlService, ControlServiceServer};
use prost::Message;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// What happens to the next upload; afterwards uploads are committed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused before anything is committed.
    Refuse(tonic::Code),
    /// Committed, but the answer is lost.
    LoseAnswer,
    /// Acknowledged with a number below the frame's.
    AcknowledgeTooLittle,
}

/// What a controller keeps over its own death.
#[derive(Default)]
pub(crate) struct Store {
    /// Committed frames by start and number.
    pub(crate) committed: Mutex<BTreeMap<(Bytes, u64), Bytes>>,
    /// Every upload that arrived, committed or not.
    pub(crate) uploads: Mutex<Vec<(u64, Bytes)>>,
    /// Faults of the next uploads, first one last.
    pub(crate) faults: Mutex<Vec<Fault>>,
}

pub(crate) type Heard = v1::stream_config_request::Message;
pub(crate) type Said = v1::stream_config_response::Message;

/// A controller that runs until it is killed.
pub(crate) struct Controller {
    pub(crate) store: Arc<Store>,
    socket: PathBuf,
    said: watch::Sender<Option<Said>>,
    heard: tokio::sync::Mutex<mpsc::UnboundedReceiver<Heard>>,
    hear: mpsc::UnboundedSender<Heard>,
    runtime: Option<Runtime>,
}

impl Controller {
    /// A controller at a unix socket in the folder, not started.
    pub(crate) fn new(folder: &Path) -> Self {
        let (hear, heard) = mpsc::unbounded_channel();
        Self {
            store: Arc::default(),
            socket: folder.join("controller.sock"),
            said: watch::Sender::new(None),
            heard: heard.into(),
            hear,
            runtime: None,
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Everything committed, merged as a store would.
    pub(crate) fn evidence(&self) -> Bundle {
        let committed = self.store.committed.lock();
        let bundles = committed
            .values()
            .map(|frame| Bundle::decode_frame(frame.clone()).unwrap());
        bundles
            .reduce(|all, bundle| all.merge(bundle).unwrap())
            .unwrap_or_default()
    }

    /// How far committed frames say that a client's stream is counted.
    pub(crate) fn marks(&self, client_stream_id: &str) -> Vec<u64> {
        let committed = self.store.committed.lock();
        let frames = committed
            .values()
            .map(|frame| v1::Frame::decode(frame.clone()).unwrap());
        let marks = frames.flat_map(|frame| frame.stream_marks);
        let marks = marks.filter(|mark| mark.client_stream_id == client_stream_id);
        marks.map(|mark| mark.through).collect()
    }

    pub(crate) fn start(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let _ = std::fs::remove_file(&self.socket);
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(&self.socket).unwrap()
        };
        let service = ControlServiceServer::new(Service {
            store: Arc::clone(&self.store),
            said: self.said.subscribe(),
            hear: self.hear.clone(),
        });
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        self.runtime = Some(runtime);
    }

    /// Ends the controller at once, with every connection.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not end inside of another one.
            let end = move || runtime.shutdown_timeout(Duration::from_secs(5));
            std::thread::spawn(end).join().unwrap();
        }
    }

    /// Says this to every stream, now and when it opens.
    pub(crate) fn say(&self, said: Said) {
        self.said.send_replace(Some(said));
    }

    /// The next thing that a sidecar says.
    pub(crate) async fn hears(&self) -> Heard {
        self.heard.lock().await.recv().await.unwrap()
    }

    /// The next thing that a sidecar says beside Hello.
    pub(crate) async fn hears_after_hello(&self) -> Heard {
        loop {
            match self.hears().await {
                Heard::Hello(_) => {}
                heard => return heard,
            }
        }
    }

    /// Waits for the acknowledgement of a version.
    pub(crate) async fn hears_ack(&self, version: v1::ConfigVersion) {
        let config_version = Some(version);
        while self.hears().await != Heard::Ack(v1::Ack { config_version }) {}
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Service {
    store: Arc<Store>,
    said: watch::Receiver<Option<Said>>,
    hear: mpsc::UnboundedSender<Heard>,
}

#[tonic::async_trait]
impl ControlService for Service {
    type StreamConfigStream =
        Pin<Box<dyn Stream<Item = Result<v1::StreamConfigResponse, Status>> + Send>>;

    async fn stream_config(
        &self,
        request: Request<Streaming<v1::StreamConfigRequest>>,
    ) -> Result<Response<Self::StreamConfigStream>, Status> {
        let mut incoming = request.into_inner();
        let hear = self.hear.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = incoming.message().await {
                hear.send(request.message.unwrap()).unwrap();
            }
        });
        let said = WatchStream::new(self.said.clone()).filter_map(|said| {
            said.map(|said| {
                Ok(v1::StreamConfigResponse {
                    message: Some(said),
                })
            })
        });
        Ok(Response::new(Box::pin(said)))
    }

    async fn upload_frame(
        &self,
        request: Request<v1::UploadFrameRequest>,
    ) -> Result<Response<v1::UploadFrameResponse>, Status> {
        let upload = request.into_inner();
        self.store
            .uploads
            .lock()
            .push((upload.seq, upload.frame.clone()));
        let fault = self.store.faults.lock().pop();
        if let Some(Fault::Refuse(code)) = fault {
            return Err(Status::new(code, "refused for a test"));
        }
        let key = (upload.boot_id, upload.seq);
        self.store
            .committed
            .lock()
            .entry(key)
            .or_insert(upload.frame);
        match fault {
            Some(Fault::LoseAnswer) => Err(Status::unavailable("the answer is lost")),
            Some(Fault::AcknowledgeTooLittle) => Ok(answer(upload.seq - 1)),
            _ => Ok(answer(upload.seq)),
        }
    }
}

fn answer(committed_through: u64) -> Response<v1::UploadFrameResponse> {
    Response::new(v1::UploadFrameResponse { committed_through })
}
