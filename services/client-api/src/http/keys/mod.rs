//! Below `/keys`.

pub(crate) mod changes;
pub(crate) mod claim;
pub(crate) mod device_signing;
pub(crate) mod query;
pub(crate) mod signatures;
pub(crate) mod upload;
