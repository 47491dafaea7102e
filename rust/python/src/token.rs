//! Tokens for Python: `Token.open`, for debugging and for tests.
//!
//! Names and conversions only; tokens are issued by the sidecar and by
//! `pitcanary_core::token`.

use std::collections::BTreeMap;

use pitcanary_core::token as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A token whose authentication code matches.
#[pyclass(frozen, eq, module = "pitcanary._native")]
#[derive(PartialEq)]
pub(crate) struct Token(core::Token);

#[pymethods]
impl Token {
    #[staticmethod]
    #[pyo3(signature = (token, keys, *, now_s, max_age_s))]
    fn open(
        token: TokenForm,
        keys: BTreeMap<u8, [u8; 32]>,
        now_s: u64,
        max_age_s: u64,
    ) -> PyResult<Self> {
        let keys = keys
            .into_iter()
            .map(|(id, secret)| core::Key::new(id, secret));
        let keys = core::KeyRing::new(keys).map_err(|error| refused(&error))?;
        let opened = match token {
            TokenForm::Bytes(bytes) => core::Token::open(&bytes, &keys, now_s, max_age_s),
            TokenForm::Text(text) => core::Token::open_text(&text, &keys, now_s, max_age_s),
        };
        opened.map(Self).map_err(|error| refused(&error))
    }

    #[getter]
    fn key_id(&self) -> u8 {
        self.0.key_id()
    }

    #[getter]
    fn rollout(&self) -> u32 {
        self.0.fields().rollout
    }

    #[getter]
    fn version(&self) -> u32 {
        self.0.fields().version
    }

    #[getter]
    fn origin_epoch(&self) -> u32 {
        self.0.fields().origin_epoch
    }

    #[getter]
    fn serve_epoch(&self) -> u32 {
        self.0.fields().serve_epoch
    }

    #[getter]
    fn arm(&self) -> u8 {
        self.0.fields().arm
    }

    #[getter]
    fn segment_mask(&self) -> u16 {
        self.0.fields().segment_mask
    }

    #[getter]
    fn issued_s(&self) -> u64 {
        self.0.fields().issued_s
    }

    #[getter]
    fn unit_tag(&self) -> u16 {
        self.0.fields().unit_tag
    }

    #[getter]
    fn slice_index(&self) -> u8 {
        self.0.fields().slice.get()
    }

    #[getter]
    fn analysable(&self) -> bool {
        self.has(core::Flags::ANALYSABLE)
    }

    #[getter]
    fn pinned(&self) -> bool {
        self.has(core::Flags::PINNED)
    }

    #[getter]
    fn mixed(&self) -> bool {
        self.has(core::Flags::MIXED)
    }

    #[getter]
    fn score_requested(&self) -> bool {
        self.has(core::Flags::SCORE_REQUESTED)
    }

    #[getter]
    fn nonce<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.fields().nonce)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn __str__(&self) -> String {
        self.0.to_text()
    }
}

impl Token {
    fn has(&self, flag: core::Flags) -> bool {
        self.0.fields().flags.contains(flag)
    }
}

/// A token as it comes over gRPC or as text.
#[derive(FromPyObject)]
enum TokenForm {
    Text(String),
    Bytes(Vec<u8>),
}

fn refused(error: &dyn std::error::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
