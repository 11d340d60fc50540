//! Below `/account`.

pub(crate) mod whoami;
