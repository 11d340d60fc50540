//! Below `/account`.

pub(crate) mod password;
pub(crate) mod whoami;
