//! What went wrong, in words that hold nothing of the instance.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;

use super::SchemaError;

/// Which group of keywords refused an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum InvalidKind {
    /// `type`.
    Type,
    /// `required`, `dependentRequired`.
    Required,
    /// `additionalProperties`, `unevaluatedProperties`, `propertyNames`, and counts.
    Properties,
    /// `additionalItems`, `unevaluatedItems`, `contains`, `uniqueItems`, and counts.
    Items,
    /// `enum`, `const`.
    Values,
    /// `minimum`, `maximum`, `multipleOf` and their kin.
    Number,
    /// `minLength`, `maxLength`.
    Length,
    /// `pattern`.
    Pattern,
    /// `format`, `contentEncoding`, `contentMediaType`.
    Format,
    /// `anyOf`, `oneOf`, `not`, or a schema that is `false`.
    Combination,
    /// Not looked up, because the schema or the output is large.
    Unspecified,
}

impl InvalidKind {
    /// The name used in metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Required => "required",
            Self::Properties => "properties",
            Self::Items => "items",
            Self::Values => "values",
            Self::Number => "number",
            Self::Length => "length",
            Self::Pattern => "pattern",
            Self::Format => "format",
            Self::Combination => "combination",
            Self::Unspecified => "unspecified",
        }
    }
}

impl From<&Kind> for InvalidKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Type { .. } => Self::Type,
            Kind::Required { .. } => Self::Required,
            Kind::AdditionalProperties { .. }
            | Kind::UnevaluatedProperties { .. }
            | Kind::PropertyNames { .. }
            | Kind::MinProperties { .. }
            | Kind::MaxProperties { .. } => Self::Properties,
            Kind::AdditionalItems { .. }
            | Kind::UnevaluatedItems { .. }
            | Kind::Contains
            | Kind::UniqueItems
            | Kind::MinItems { .. }
            | Kind::MaxItems { .. } => Self::Items,
            Kind::Enum { .. } | Kind::Constant { .. } => Self::Values,
            Kind::Minimum { .. }
            | Kind::Maximum { .. }
            | Kind::ExclusiveMinimum { .. }
            | Kind::ExclusiveMaximum { .. }
            | Kind::MultipleOf { .. } => Self::Number,
            Kind::MinLength { .. } | Kind::MaxLength { .. } => Self::Length,
            Kind::Pattern { .. } => Self::Pattern,
            Kind::Format { .. }
            | Kind::ContentEncoding { .. }
            | Kind::ContentMediaType { .. }
            | Kind::FromUtf8 { .. } => Self::Format,
            Kind::AnyOf { .. }
            | Kind::OneOfMultipleValid { .. }
            | Kind::OneOfNotValid { .. }
            | Kind::Not { .. }
            | Kind::FalseSchema => Self::Combination,
            _ => Self::Unspecified,
        }
    }
}

/// Translates the engine's refusal of a schema, values masked.
pub(super) fn refused(error: &ValidationError<'_>) -> SchemaError {
    let path = error.instance_path().to_string();
    match error.kind() {
        Kind::Referencing(cause) => unresolved(cause, path),
        Kind::Format { format } if format == "regex" => SchemaError::Pattern { path },
        _ => SchemaError::Invalid {
            path,
            reason: error.masked().to_string(),
        },
    }
}

/// Translates a reference that the engine could not follow.
pub(super) fn unresolved(cause: &jsonschema::ReferencingError, path: String) -> SchemaError {
    match cause {
        jsonschema::ReferencingError::Unretrievable { .. } => SchemaError::RemoteReference { path },
        jsonschema::ReferencingError::UnknownSpecification { .. } => {
            SchemaError::UnsupportedDraft { path }
        }
        _ => SchemaError::BadReference { path },
    }
}
