//! What can go wrong below.

/// A failed operation of a store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer, and the operation did not happen (a read, or a write that was refused before it began).
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store did not answer a write: it may happen still, even after a later read did not show it.
    #[error("the outcome of a write is unknown: {0}")]
    Unknown(String),
    /// The operation breaks a rule of the table or a stated size limit; the same operation will never succeed.
    #[error("the store refused the operation: {0}")]
    Refused(String),
    /// What is stored cannot be read back.
    #[error("stored data is corrupt: {0}")]
    Corrupt(String),
    /// The disk is full.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Whoever uses the store this way made a mistake in the set-up; the text names the remedy.
    #[error("{0}")]
    Setup(String),
}

impl StoreError {
    /// The kind of error, for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Unknown(_) => "unknown",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
            Self::DiskFull(_) => "disk_full",
            Self::Setup(_) => "setup",
        }
    }
}
