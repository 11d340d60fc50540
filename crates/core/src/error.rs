//! The one error that crosses a service border.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What kind of failure it is, from a closed set. Decides the gRPC status and, where no Matrix code is given, the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is malformed or breaks a rule of its own. HTTP 400.
    InvalidArgument,
    /// The caller is not known. HTTP 401.
    Unauthenticated,
    /// The caller is known and may not do this. HTTP 403.
    Forbidden,
    /// The thing asked for does not exist, or must look so. HTTP 404.
    NotFound,
    /// The state of things forbids it, for example a name that is taken. HTTP 400 or 409, as the Matrix code says.
    Conflict,
    /// The request or its result is larger than a stated limit. HTTP 413.
    TooLarge,
    /// Too many requests; `retry_after` says when to come back. HTTP 429.
    Overloaded,
    /// Another process owns the shard; `owner` may name it. Never reaches a client: the caller retries there.
    NotOwner,
    /// The command may or may not have happened; retrying it under the same request id tells which. HTTP 503.
    Unknown,
    /// A part that is needed does not answer just now. HTTP 503.
    Unavailable,
    /// A fault of Banyan's own. HTTP 500.
    Internal,
}

/// A failed command or read, as services tell each other. Maps to a gRPC status (`banyan_proto::status`) and, at the HTTP edge and
/// nowhere else, to the Matrix error object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// The Matrix error code (`M_FORBIDDEN`, …) that a client must see; the HTTP edge has a default for each [`ErrorCode`].
    pub errcode: Option<Cow<'static, str>>,
    /// Words for a person. Shown to the client unless the code is [`ErrorCode::Internal`].
    pub message: Cow<'static, str>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// The address (`host:port`) of the current owner, with [`ErrorCode::NotOwner`].
    pub owner: Option<String>,
    /// Further members of the Matrix error object, as JSON text of an object (for example `{"soft_logout":true}`).
    pub extra: Option<String>,
}

impl ServiceError {
    /// An error of kind `code` without a Matrix code of its own.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, errcode: None, message: message.into(), retry_after: None, owner: None, extra: None }
    }

    /// An error with the Matrix code that the client must see.
    #[must_use]
    pub fn matrix(code: ErrorCode, errcode: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { errcode: Some(Cow::Borrowed(errcode)), ..Self::new(code, message) }
    }

    /// `M_FORBIDDEN`, 403.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::matrix(ErrorCode::Forbidden, "M_FORBIDDEN", message)
    }

    /// `M_NOT_FOUND`, 404.
    #[must_use]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::matrix(ErrorCode::NotFound, "M_NOT_FOUND", message)
    }

    /// `M_INVALID_PARAM`, 400.
    #[must_use]
    pub fn invalid_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::matrix(ErrorCode::InvalidArgument, "M_INVALID_PARAM", message)
    }

    /// `M_BAD_JSON`, 400.
    #[must_use]
    pub fn bad_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::matrix(ErrorCode::InvalidArgument, "M_BAD_JSON", message)
    }

    /// `M_TOO_LARGE`, 413.
    #[must_use]
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::matrix(ErrorCode::TooLarge, "M_TOO_LARGE", message)
    }

    /// `M_LIMIT_EXCEEDED`, 429.
    #[must_use]
    pub fn limit_exceeded(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::matrix(ErrorCode::Overloaded, "M_LIMIT_EXCEEDED", message) }
    }

    /// Another process owns the shard.
    #[must_use]
    pub fn not_owner(owner: Option<String>) -> Self {
        Self { owner, ..Self::new(ErrorCode::NotOwner, "another process owns this shard") }
    }

    /// Something needed does not answer.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// A fault of our own.
    #[must_use]
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// The same error with further members for the Matrix error object (`extra` is an object's JSON text).
    #[must_use]
    pub fn with_extra(mut self, extra: String) -> Self {
        self.extra = Some(extra);
        self
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.errcode {
            Some(errcode) => write!(f, "{errcode}: {}", self.message),
            None => write!(f, "{:?}: {}", self.code, self.message),
        }
    }
}

impl std::error::Error for ServiceError {}
