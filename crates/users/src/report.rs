//! Reports to the administrators of a tenant (specification: Client-Server API, "Reporting Content").

use banyan_core::ServiceError;

/// Reports of a partition.
pub const BUCKET: u64 = 1_000;
/// Bytes of a reason.
pub const MAX_REASON: usize = 4_000;
/// Bytes of an id that is reported.
pub const MAX_ID: usize = 255;

/// The name whose shard owns a tenant's reports (see `ShardCount::shard_of`).
#[must_use]
pub fn owner_name(tenant: &str) -> String {
    format!("{tenant}/reports")
}

/// Refuses a reason that is too long.
///
/// # Errors
/// `M_INVALID_PARAM`.
pub fn check_reason(reason: &str) -> Result<(), ServiceError> {
    if reason.len() > MAX_REASON {
        return Err(ServiceError::invalid_param(format!("The reason is longer than {MAX_REASON} bytes")));
    }
    Ok(())
}

/// The partition of a report.
#[must_use]
pub(crate) fn bucket(number: u64) -> i64 {
    column(number / BUCKET)
}

/// A number as a column.
#[must_use]
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
