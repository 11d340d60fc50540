//! What can go wrong when rooms are read.

use std::fmt;

use banyan_core::ServiceError;
use banyan_store::StoreError;

use crate::state::StateError;

/// A failed read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored makes no sense.
    #[error("corrupt row of {table}: {problem}")]
    Corrupt {
        /// The table or structure.
        table: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl ReadError {
    /// A row of `table` that makes no sense.
    pub fn corrupt(table: &'static str, problem: impl fmt::Display) -> Self {
        Self::Corrupt { table, problem: problem.to_string() }
    }
}

impl From<StateError> for ReadError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Store(error) => Self::Store(error),
            other => Self::corrupt("state_node", other),
        }
    }
}

impl From<ReadError> for ServiceError {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Store(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                Self::unavailable("the database does not answer")
            }
            _ => Self::internal(error.to_string()),
        }
    }
}
