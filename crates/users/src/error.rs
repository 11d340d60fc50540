//! What can go wrong when reading users.

use banyan_core::{ErrorCode, ServiceError};
use banyan_store::StoreError;

/// A failed read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row cannot be decoded.
    #[error("table {table}: a row is corrupt: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What the decoder said.
        problem: String,
    },
}

impl From<ReadError> for ServiceError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => store_error(&error),
            error @ ReadError::Corrupt { .. } => Self::internal(error.to_string()),
        }
    }
}

/// A failure of the store, as a service tells its caller.
pub(crate) fn store_error(error: &StoreError) -> ServiceError {
    let code = match error {
        StoreError::Unavailable(_) | StoreError::DiskFull(_) => ErrorCode::Unavailable,
        StoreError::Unknown(_) => ErrorCode::Unknown,
        StoreError::Refused(_) | StoreError::Corrupt(_) | StoreError::Setup(_) => ErrorCode::Internal,
    };
    ServiceError::new(code, error.to_string())
}
