//! Below `/admin`.

pub(crate) mod lock;
pub(crate) mod suspend;
pub(crate) mod whois;
