//! What the driver's errors mean. The question is always whether a write may have happened, or may happen yet.

use scylla::errors::{DbError, ExecutionError, NewSessionError, PrepareError, RequestAttemptError};

use crate::StoreError;

/// Whether the operation that failed was a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
}

impl Operation {
    /// The operation was sent, and nobody knows what became of it.
    fn unanswered(self, error: &dyn std::fmt::Display) -> StoreError {
        match self {
            Self::Read => StoreError::Unavailable(error.to_string()),
            Self::Write => StoreError::Unknown(error.to_string()),
        }
    }

    pub(super) fn failed(self, error: &ExecutionError) -> StoreError {
        match error {
            ExecutionError::BadQuery(_) => StoreError::Refused(error.to_string()),
            // No node was asked.
            ExecutionError::EmptyPlan | ExecutionError::ConnectionPoolError(_) | ExecutionError::PrepareError(_) => {
                StoreError::Unavailable(error.to_string())
            }
            ExecutionError::LastAttemptError(attempt) => self.attempt_failed(attempt),
            _ => self.unanswered(error),
        }
    }

    fn attempt_failed(self, error: &RequestAttemptError) -> StoreError {
        match error {
            RequestAttemptError::SerializationError(_) | RequestAttemptError::CqlRequestSerialization(_) => {
                StoreError::Refused(error.to_string())
            }
            RequestAttemptError::UnableToAllocStreamId => StoreError::Unavailable(error.to_string()),
            RequestAttemptError::DbError(answer, message) => self.answered(answer, message),
            _ => self.unanswered(error),
        }
    }

    /// The database answered with an error.
    fn answered(self, error: &DbError, message: &str) -> StoreError {
        match error {
            // Checked before the first message to a replica.
            DbError::Unavailable { .. } | DbError::IsBootstrapping | DbError::Unprepared { .. } => {
                StoreError::Unavailable(format!("{error}: {message}"))
            }
            DbError::RateLimitReached { rejected_by_coordinator: true, .. } => StoreError::Unavailable(message.to_owned()),
            DbError::SyntaxError
            | DbError::Invalid
            | DbError::ConfigError
            | DbError::FunctionFailure { .. }
            | DbError::AlreadyExists { .. }
            | DbError::Unauthorized
            | DbError::AuthenticationError => StoreError::Refused(format!("{error}: {message}")),
            _ => self.unanswered(&format!("{error}: {message}")),
        }
    }
}

/// A statement could not be prepared: nothing was done.
pub(super) fn not_prepared(error: &PrepareError) -> StoreError {
    StoreError::Unavailable(format!("a statement could not be prepared: {error}"))
}

/// What the database answered does not read as what was asked for.
pub(super) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("the database's answer: {error}"))
}

/// No connection at the start.
pub(super) fn not_connected(contact_points: &[String], error: &NewSessionError) -> StoreError {
    let text = error.to_string();
    let nodes = contact_points.join(", ");
    match error {
        NewSessionError::EmptyKnownNodesList => StoreError::Setup("the store has no contact_points".to_owned()),
        NewSessionError::IllegalConfig(what) => StoreError::Setup(format!("the store's settings do not fit together: {what}")),
        _ if text.to_lowercase().contains("authentication") => {
            StoreError::Setup(format!("the database at {nodes} wants another login (user, password_file): {text}"))
        }
        _ => StoreError::Unavailable(format!("the database at {nodes} does not answer: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use scylla::{errors::WriteType, statement::Consistency};

    use super::*;

    fn answer(error: DbError) -> ExecutionError {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()))
    }

    #[test]
    fn a_write_that_timed_out_is_unknown_and_a_read_unavailable() {
        let consistency = Consistency::Quorum;
        let timeout = answer(DbError::WriteTimeout { consistency, received: 1, required: 2, write_type: WriteType::Cas });
        assert!(matches!(Operation::Write.failed(&timeout), StoreError::Unknown(_)));
        let own = ExecutionError::RequestTimeout(std::time::Duration::from_secs(5));
        assert!(matches!(Operation::Write.failed(&own), StoreError::Unknown(_)));
        assert!(matches!(Operation::Read.failed(&own), StoreError::Unavailable(_)));
    }

    #[test]
    fn what_was_never_begun_is_unavailable() {
        let unavailable = answer(DbError::Unavailable { consistency: Consistency::Quorum, required: 2, alive: 1 });
        assert!(matches!(Operation::Write.failed(&unavailable), StoreError::Unavailable(_)));
        assert!(matches!(Operation::Write.failed(&ExecutionError::EmptyPlan), StoreError::Unavailable(_)));
        assert!(matches!(Operation::Write.failed(&answer(DbError::Invalid)), StoreError::Refused(_)));
        assert!(matches!(Operation::Write.failed(&answer(DbError::Overloaded)), StoreError::Unknown(_)));
    }
}
