//! A version of a prompt, encoded once and rendered on demand.
//!
//! What every answer with this version repeats (reference, content, parameters, schema)
//! is kept as the very bytes of a `ResolvePromptResponse`, so serving it copies no text.

use prost::Message;
use prost::bytes::Bytes;
use serde_json::{Map, Value};

use super::error::{At, SnapshotError, SnapshotErrorKind};
use crate::evaluate::schema::OutputSchema;
use crate::template::{Syntax, Template, TemplateError};
use crate::v1;
use crate::v1::resolve_prompt_response::Content as Answer;

/// An immutable version, ready to serve.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) id: u32,
    pub(crate) prompt: Box<str>,
    /// The model it is meant for; may be empty.
    pub(crate) model: Box<str>,
    /// What its outputs must be; `None` where anything goes.
    pub(crate) output_schema: Option<OutputSchema>,
    /// The fixed fields with the content as it is.
    fixed: Bytes,
    /// The fixed fields before and after the content.
    around: [Bytes; 2],
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Template),
    Messages(Box<[(Box<str>, Template)]>),
}

impl Version {
    pub(super) fn compile(message: &v1::Version) -> Result<Self, SnapshotError> {
        let place = format!("version {}", message.id);
        let missing = |part| SnapshotErrorKind::Missing(part).at(&place);
        if message.id == 0 {
            return Err(SnapshotErrorKind::OutOfRange("its number must be above 0").at(&place));
        }
        let reference = message.r#ref.clone().ok_or_else(|| missing("ref"))?;
        let source = message.content.as_ref().ok_or_else(|| missing("content"))?;
        let syntax = match message.syntax() {
            v1::Syntax::Unspecified | v1::Syntax::Plain => Syntax::Plain,
            v1::Syntax::Jinja => Syntax::Jinja,
        };
        let content = Content::compile(syntax, source).at(&place)?;
        let output_schema = match message.output_schema_json.as_str() {
            "" => None,
            text => Some(OutputSchema::publish(text).at(&place)?),
        };
        let prompt = reference.name.as_str().into();
        let head = v1::ResolvePromptResponse {
            version: Some(reference),
            ..Default::default()
        };
        let tail = v1::ResolvePromptResponse {
            parameters_json: message.parameters_json.clone(),
            output_schema_json: message.output_schema_json.clone(),
            ..Default::default()
        };
        let around = [head, tail].map(|part| Bytes::from(part.encode_to_vec()));
        Ok(Self {
            id: message.id,
            prompt,
            model: message.model.as_str().into(),
            output_schema,
            fixed: join(&around, answer(source)),
            around,
            content,
        })
    }

    /// The fixed fields of the answer, with the content as it was written.
    pub(crate) fn fixed(&self) -> Bytes {
        self.fixed.clone()
    }

    /// The fixed fields of the answer, with the content rendered.
    pub(crate) fn render(&self, variables: &Map<String, Value>) -> Result<Bytes, TemplateError> {
        if self.content.is_constant() {
            return Ok(self.fixed());
        }
        Ok(join(&self.around, self.content.render(variables)?))
    }
}

impl Content {
    fn compile(syntax: Syntax, source: &v1::version::Content) -> Result<Self, TemplateError> {
        Ok(match source {
            v1::version::Content::Text(text) => Self::Text(Template::compile(syntax, text)?),
            v1::version::Content::Messages(chat) => {
                let message = |message: &v1::ChatMessage| {
                    let template = Template::compile(syntax, &message.content)?;
                    Ok((message.role.as_str().into(), template))
                };
                let messages: Result<_, TemplateError> =
                    chat.messages.iter().map(message).collect();
                Self::Messages(messages?)
            }
        })
    }

    fn is_constant(&self) -> bool {
        match self {
            Self::Text(template) => template.is_constant(),
            Self::Messages(messages) => messages.iter().all(|(_, template)| template.is_constant()),
        }
    }

    fn render(&self, variables: &Map<String, Value>) -> Result<Answer, TemplateError> {
        Ok(match self {
            Self::Text(template) => Answer::Text(template.render(variables)?),
            Self::Messages(messages) => {
                let render = |(role, template): &(Box<str>, Template)| {
                    Ok(v1::ChatMessage {
                        role: role.to_string(),
                        content: template.render(variables)?,
                    })
                };
                let messages: Result<_, TemplateError> = messages.iter().map(render).collect();
                Answer::Messages(v1::ChatMessages {
                    messages: messages?,
                })
            }
        })
    }
}

fn answer(source: &v1::version::Content) -> Answer {
    match source {
        v1::version::Content::Text(text) => Answer::Text(text.clone()),
        v1::version::Content::Messages(messages) => Answer::Messages(messages.clone()),
    }
}

/// The content between what comes before and after it.
fn join([head, tail]: &[Bytes; 2], content: Answer) -> Bytes {
    let content = v1::ResolvePromptResponse {
        content: Some(content),
        ..Default::default()
    };
    let content = content.encode_to_vec();
    [head, content.as_slice(), tail].concat().into()
}
