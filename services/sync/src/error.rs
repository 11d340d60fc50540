//! What can go wrong with a sync.

use std::time::Duration;

use banyan_core::{ErrorCode, ServiceError};
use banyan_rooms::{ReadError, stream_token::TokenError};

/// A sync that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// `since` is no token.
    #[error("since is not a token of this server: {0}")]
    Token(#[from] TokenError),
    /// The request has a user id, device id or other part that cannot be.
    #[error("{0}")]
    Request(String),
    /// The filter is JSON of the wrong shape.
    #[error("the filter is not valid: {0}")]
    Filter(String),
    /// The body is JSON of the wrong shape.
    #[error("{0}")]
    Body(String),
    /// `pos` is no position of this connection that is still kept.
    #[error("unknown position; begin a new connection")]
    Position,
    /// This process does not reach the position of the token, or of a row that it read, in time.
    #[error("this server is behind; try again")]
    Behind,
    /// More at a time than is allowed.
    #[error("too many syncs at a time")]
    Busy,
    /// The access token ended.
    #[error("the access token was revoked")]
    Revoked {
        /// The device is there still.
        soft: bool,
    },
    /// The account is locked.
    #[error("this account has been locked")]
    Locked,
    /// The store failed, or what it holds makes no sense.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A read of the user's data failed.
    #[error(transparent)]
    Users(#[from] ServiceError),
    /// A fault of our own.
    #[error("{0}")]
    Internal(String),
}

impl From<SyncError> for ServiceError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Token(_) | SyncError::Request(_) => Self::invalid_param(error.to_string()),
            SyncError::Filter(_) | SyncError::Body(_) => Self::bad_json(error.to_string()),
            SyncError::Position => Self::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN_POS", error.to_string()),
            SyncError::Behind => Self::unavailable(error.to_string()),
            SyncError::Busy => Self::limit_exceeded(error.to_string(), Duration::from_secs(2)),
            SyncError::Revoked { soft } => Self::matrix(ErrorCode::Unauthenticated, "M_UNKNOWN_TOKEN", error.to_string())
                .with_extra(format!("{{\"soft_logout\":{soft}}}")),
            SyncError::Locked => Self::matrix(ErrorCode::Unauthenticated, "M_USER_LOCKED", error.to_string())
                .with_extra("{\"soft_logout\":true}".to_owned()),
            SyncError::Read(error) => error.into(),
            SyncError::Users(error) => error,
            SyncError::Internal(message) => Self::internal(message),
        }
    }
}
