//! Why something that was reported is not counted.

use thiserror::Error;

use crate::token::TokenError;
use crate::v1::RejectCode;

/// A refusal: a code to count by, and a sentence that holds no value of a text field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Reject {
    /// What kind of refusal.
    pub code: RejectCode,
    /// What, where and what to do.
    pub message: String,
}

impl Reject {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            code: RejectCode::InvalidValue,
            message: message.into(),
        }
    }

    /// The number that losses are counted by.
    pub fn number(&self) -> u32 {
        u32::try_from(i32::from(self.code)).unwrap_or(0)
    }
}

impl From<TokenError> for Reject {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::UnknownKey(_) => RejectCode::UnknownKey,
            TokenError::Forged => RejectCode::ForgedToken,
            TokenError::Expired { .. } | TokenError::Future { .. } => RejectCode::ExpiredToken,
            _ => RejectCode::MalformedToken,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}
