//! What can go wrong with a log.

use std::time::Duration;

use banyan_core::{ErrorCode, LogId, LogSeq, ServiceError};
use banyan_store::{OwnerRow, StoreError};

/// A log could not be claimed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody else claimed it meanwhile.
    #[error("another process claimed the log")]
    Taken {
        /// Who, if known.
        owner: Option<OwnerRow>,
    },
    /// The store failed; try again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A bucket that must exist has no head, or an entry that was committed is not there: the store lost data. Needs an operator.
    #[error("log {log} is damaged: {what}")]
    Damaged {
        /// Which log.
        log: LogId,
        /// What is missing.
        what: String,
    },
    /// The clocks of this process and the store differ by more than is allowed.
    #[error("this machine's clock is {off:?} off the store's; let both follow NTP")]
    ClockSkew {
        /// By how much.
        off: Duration,
    },
}

/// A proposal or a read by the owner failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Too much is waiting. It did not happen.
    #[error("the shard is overloaded")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// This process owns the log no more. It did not happen.
    #[error("another process owns the log")]
    NotOwner {
        /// Who does, if known.
        owner: Option<OwnerRow>,
    },
    /// It may or may not have happened: ask the log's next owner by the request id. This owner's memory is void.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The store does not answer. It did not happen.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A stated limit is exceeded.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The effect of this source, or of a later one of its log, is in this log already.
    #[error("the effect is in the log already")]
    Repeat,
}

impl From<LogError> for ServiceError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Overloaded { retry_after } => Self::limit_exceeded("the shard is overloaded", retry_after),
            LogError::NotOwner { owner } => Self::not_owner(owner.filter(|row| !row.addr.is_empty()).map(|row| row.addr)),
            LogError::Unknown(message) => Self::new(ErrorCode::Unknown, message),
            LogError::Unavailable(message) => Self::unavailable(message),
            LogError::TooLarge(message) => Self::too_large(message),
            LogError::Repeat => Self::new(ErrorCode::Conflict, "the effect is in the log already"),
        }
    }
}

/// Why an owner lost its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// A later epoch was seen.
    Fenced {
        /// Who holds it, if known.
        owner: Option<OwnerRow>,
    },
    /// It was handed over or dropped.
    Released {
        /// Who has it now, if known.
        owner: Option<OwnerRow>,
    },
    /// The outcome of an append stayed unknown for too long: claim again.
    GaveUp(String),
    /// The clocks of this process and the store differ by more than is allowed.
    ClockSkew,
    /// The store contradicted what it had promised. Needs an operator.
    Damaged(String),
}

impl LostReason {
    /// Who has the log now, if known.
    #[must_use]
    pub const fn owner(&self) -> Option<&OwnerRow> {
        match self {
            Self::Fenced { owner } | Self::Released { owner } => owner.as_ref(),
            Self::GaveUp(_) | Self::ClockSkew | Self::Damaged(_) => None,
        }
    }
}

/// A follower could not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowError {
    /// Retention dropped the follower's position: rebuild from derived rows and follow from `first` or later.
    #[error("entries below {first} are gone")]
    Gone {
        /// The first entry that is still there.
        first: LogSeq,
    },
    /// The store failed; call again.
    #[error(transparent)]
    Store(#[from] StoreError),
}
