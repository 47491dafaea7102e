//! JSON values given as Python objects.
//!
//! Only what JSON has: None, bool, int, float, str, lists, tuples, and dicts with text
//! keys. Values never show in an error.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// As deep as JSON texts are read elsewhere.
const MAX_DEPTH: usize = 127;

/// A Python dict as a JSON object.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl<'py> FromPyObject<'_, 'py> for JsonObject {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let object = object.cast::<PyDict>()?;
        map(&object, MAX_DEPTH).map(Self)
    }
}

fn map(object: &Bound<'_, PyDict>, depth: usize) -> PyResult<Map<String, Value>> {
    let entries = object.iter().map(|(key, value)| {
        let key = key.cast::<PyString>()?.to_str()?.to_owned();
        Ok((key, convert(&value, depth)?))
    });
    entries.collect()
}

fn convert(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("variables are nested deeper than {MAX_DEPTH} levels");
        return Err(PyValueError::new_err(message));
    };
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(boolean) = value.cast::<PyBool>() {
        return Ok(Value::Bool(boolean.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::String(text.to_str()?.to_owned()));
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return number(value);
    }
    if let Ok(object) = value.cast::<PyDict>() {
        return map(object, depth).map(Value::Object);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| convert(&item?, depth));
        return items.collect::<PyResult<Vec<Value>>>().map(Value::Array);
    }
    let kind = value.get_type().name()?;
    let message = format!("`{kind}` is not JSON: use None, bool, int, float, str, list or dict");
    Err(PyTypeError::new_err(message))
}

/// Integers of 64 bits stay exact; larger ones become doubles, as JSON readers make them.
fn number(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if value.is_instance_of::<PyInt>() {
        if let Ok(integer) = value.extract::<i64>() {
            return Ok(integer.into());
        }
        if let Ok(integer) = value.extract::<u64>() {
            return Ok(integer.into());
        }
    }
    Number::from_f64(value.extract()?)
        .map(Value::Number)
        .ok_or_else(|| PyValueError::new_err("numbers must be finite"))
}
