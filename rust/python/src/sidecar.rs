//! The sidecar inside of a Python process: `Sidecar`.
//!
//! Names and conversions only; the server is `pitcanary_sidecar::sidecar`. Whatever
//! waits does so without the interpreter's lock.

use std::path::PathBuf;
use std::time::Duration;

use parking_lot::RwLock;
use pitcanary_sidecar::configuration::Place;
use pitcanary_sidecar::counters::SidecarCounts;
use pitcanary_sidecar::error::StartError;
use pitcanary_sidecar::files::seed::seed;
use pitcanary_sidecar::settings::Settings;
use pitcanary_sidecar::sidecar as rust;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

pyo3::create_exception!(_native, CallRefused, pyo3::exceptions::PyException);

/// Up to this size a call keeps the interpreter's lock: it takes a microsecond or two, and
/// beside one busy Python thread it was measured at 5 µs with the lock kept and at 9 µs
/// with the lock handed over.
const SMALL_REQUEST_BYTES: usize = 4096;

#[pyfunction]
pub(crate) fn store_snapshot(py: Python<'_>, data_dir: PathBuf, snapshot: &[u8]) -> PyResult<()> {
    py.detach(|| seed(&data_dir, snapshot))
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// One sidecar of this process.
#[pyclass(frozen, module = "pitcanary._native")]
pub(crate) struct Sidecar {
    settings: Settings,
    /// Held shared by calls, alone by start and shutdown.
    running: RwLock<Option<rust::Sidecar>>,
}

#[pymethods]
impl Sidecar {
    #[new]
    #[pyo3(signature = (
        *, listen, controller, data_dir, sidecar_id, namespace, environment,
        insecure_listen = Vec::new(), workers = 1, coalesce = true, replay = false,
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        listen: Vec<String>,
        controller: String,
        data_dir: PathBuf,
        sidecar_id: String,
        namespace: String,
        environment: String,
        insecure_listen: Vec<String>,
        workers: usize,
        coalesce: bool,
        replay: bool,
    ) -> Self {
        let place = Place {
            namespace,
            environment,
        };
        let settings = Settings {
            listen,
            insecure_listen,
            controller,
            workers,
            coalesce,
            replay,
            ..Settings::new(data_dir, &sidecar_id, place)
        };
        Self {
            settings,
            running: RwLock::new(None),
        }
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let mut running = self.running.write();
            if running.is_some() {
                return Err(PyRuntimeError::new_err("the sidecar is running already"));
            }
            let sidecar = rust::Sidecar::start(&self.settings).map_err(|error| refused(&error))?;
            *running = Some(sidecar);
            Ok(())
        })
    }

    #[getter]
    fn addresses(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |sidecar| sidecar.addresses().to_vec())
    }

    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.with(py, rust::Sidecar::counts)?;
        to_dict(py, counts)
    }

    fn invoke<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        request: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = if request.len() <= SMALL_REQUEST_BYTES {
            self.answer(method, request)
        } else {
            py.detach(|| self.answer(method, request))
        };
        Ok(PyBytes::new(py, &answer?))
    }

    /// Ends the sidecar; true when no call was cut and no count lost.
    fn shutdown(&self, py: Python<'_>, drain_seconds: f64) -> PyResult<bool> {
        let within = Duration::try_from_secs_f64(drain_seconds)
            .map_err(|error| PyValueError::new_err(format!("`drain_seconds`: {error}")))?;
        py.detach(|| {
            let ended = self.running.write().take();
            Ok(ended.is_none_or(|sidecar| sidecar.drain(within).is_clean()))
        })
    }
}

impl Sidecar {
    fn answer(&self, method: &str, request: &[u8]) -> PyResult<Vec<u8>> {
        let running = self.running.read();
        let sidecar = running.as_ref().ok_or_else(not_running)?;
        let answer = sidecar.handlers().invoke(method, request);
        answer.map_err(|status| {
            CallRefused::new_err((status.code() as i32, status.message().to_owned()))
        })
    }

    /// Waits for a start or shutdown that is under way, without the interpreter's lock.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&rust::Sidecar) -> T + Send,
    ) -> PyResult<T> {
        py.detach(|| {
            self.running
                .read()
                .as_ref()
                .map(read)
                .ok_or_else(not_running)
        })
    }
}

fn not_running() -> PyErr {
    PyRuntimeError::new_err("the sidecar is not running: call `start` first")
}

fn refused(error: &StartError) -> PyErr {
    match error {
        StartError::Threads(_) | StartError::Randomness(_) => PyOSError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

fn to_dict(py: Python<'_>, counts: SidecarCounts) -> PyResult<Bound<'_, PyDict>> {
    let SidecarCounts {
        link,
        upload,
        connections,
        ..
    } = counts;
    let dict = PyDict::new(py);
    dict.set_item("resolves", counts.resolves)?;
    dict.set_item("resolve_seconds_buckets", counts.resolve_latency.buckets)?;
    dict.set_item("resolve_seconds_above", counts.resolve_latency.above)?;
    dict.set_item("resolve_seconds_sum", counts.resolve_latency.sum_s)?;
    dict.set_item("resolves_refused", counted(counts.resolves_refused))?;
    dict.set_item("reports", counted(counts.reports))?;
    dict.set_item("rejects", counted(counts.rejects))?;
    let age_ms = counts.config_revision.map(|_| counts.freshness.age_ms);
    dict.set_item(
        "config_age_seconds",
        age_ms.map(|age_ms| age_ms as f64 / 1e3),
    )?;
    dict.set_item("config_revision", counts.config_revision.unwrap_or(0))?;
    dict.set_item("config_stale", counts.freshness.stale)?;
    dict.set_item("unattended", counts.freshness.unattended)?;
    dict.set_item("tripped_rollouts", counts.tripped_rollouts)?;
    dict.set_item("connected", link.connected)?;
    let snapshots = [("accepted", link.accepted), ("refused", link.refused)];
    dict.set_item("snapshots", counted(snapshots))?;
    let frames = [
        ("made", upload.frames),
        ("committed", upload.committed),
        ("dropped", upload.dropped),
    ];
    dict.set_item("frames", counted(frames))?;
    dict.set_item("upload_failures", upload.failures)?;
    dict.set_item("frames_waiting", counts.frames_waiting)?;
    dict.set_item("frame_bytes_waiting", counts.frame_bytes_waiting)?;
    dict.set_item("connections_open", connections.open)?;
    let results = [
        ("accepted", connections.accepted),
        ("refused", connections.refused),
        ("accept_error", connections.accept_errors),
        ("handshake_timeout", connections.handshake_timeouts),
        ("aborted", connections.aborted),
    ];
    dict.set_item("connections", counted(results))?;
    Ok(dict)
}

fn counted(
    rows: impl IntoIterator<Item = (&'static str, u64)>,
) -> std::collections::BTreeMap<&'static str, u64> {
    rows.into_iter().collect()
}
