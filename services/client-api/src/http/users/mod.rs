//! Below `/users/{userId}`.

pub(crate) mod report;
