//! The id of the request that is being answered.

use banyan_core::RequestId;

tokio::task_local! {
    /// Set by the edge around the whole handling of a request.
    pub(crate) static CURRENT: RequestId;
}

/// The id of the request that this task answers; the null id outside of one.
#[must_use]
pub fn current_id() -> RequestId {
    CURRENT.try_with(|id| *id).unwrap_or(RequestId(0))
}
