//! The Jinja syntax, on minijinja with everything off that reaches outside.
//!
//! Fuel bounds both time and memory: the engine charges instructions and every 64 bytes
//! it produces alike. An undefined value is an error, not an empty text.

use std::collections::BTreeSet;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

use super::{MAX_OUTPUT_BYTES, TemplateError, whole};

/// About 50,000 instructions or 3 MB of data for one rendering.
const FUEL: u64 = 50_000;

/// Deep enough for any prompt, shallow enough for a server thread's stack.
const MAX_RECURSION: usize = 64;

const NAME: &str = "prompt";

/// A compiled Jinja template, alone in its environment.
#[derive(Debug)]
pub(super) struct Jinja(Environment<'static>);

impl Jinja {
    /// Returns the template and the names that it may look up.
    pub(super) fn compile(source: &str) -> Result<(Self, BTreeSet<String>), TemplateError> {
        let mut environment = environment().map_err(|error| refused(&error))?;
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| refused(&error))?;
        let template = environment.get_template(NAME);
        let mut names: BTreeSet<String> = template
            .map_err(|error| refused(&error))?
            .undeclared_variables(false)
            .into_iter()
            .collect();
        for (global, _) in environment.globals() {
            names.remove(global);
        }
        Ok((Self(environment), names))
    }

    pub(super) fn render(
        &self,
        variables: &Map<String, Value>,
        names: &BTreeSet<String>,
    ) -> Result<String, TemplateError> {
        let given = names
            .iter()
            .filter_map(|name| Some((name.as_str(), convert(variables.get(name)?))));
        let context = minijinja::Value::from_pairs(given);
        let rendered = self
            .0
            .get_template(NAME)
            .and_then(|template| template.render(context));
        match rendered {
            Ok(text) if text.len() > MAX_OUTPUT_BYTES => Err(TemplateError::OutputTooLong),
            Ok(text) => Ok(text),
            Err(error) => Err(failed(&error, variables, names)),
        }
    }
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    Ok(environment)
}

/// JSON as the engine's values, whole numbers as integers.
fn convert(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => ().into(),
        Value::Bool(boolean) => (*boolean).into(),
        Value::Number(number) => match (whole(number), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(large)) => large.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(convert).collect(),
        Value::Object(fields) => minijinja::Value::from_pairs(
            fields
                .iter()
                .map(|(name, field)| (name.as_str(), convert(field))),
        ),
    }
}

/// An error of compilation: its detail speaks of the source's tokens only.
fn refused(error: &Error) -> TemplateError {
    TemplateError::Syntax {
        line: error.line().unwrap_or(0),
        reason: reason(error),
    }
}

fn failed(
    error: &Error,
    variables: &Map<String, Value>,
    names: &BTreeSet<String>,
) -> TemplateError {
    let line = error.line().unwrap_or(0);
    match error.kind() {
        ErrorKind::OutOfFuel => TemplateError::OutOfFuel,
        ErrorKind::UndefinedError => {
            match names.iter().find(|name| !variables.contains_key(*name)) {
                Some(missing) => TemplateError::UnknownVariable(missing.clone()),
                None => TemplateError::Failed {
                    line,
                    reason: "undefined value".to_owned(),
                },
            }
        }
        // Their detail is a name from the template.
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod => TemplateError::Failed {
            line,
            reason: reason(error),
        },
        // Any other detail may quote a value.
        kind => TemplateError::Failed {
            line,
            reason: kind.to_string(),
        },
    }
}

fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
