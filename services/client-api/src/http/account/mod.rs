//! Below `/account`.

pub(crate) mod deactivate;
pub(crate) mod password;
pub(crate) mod whoami;
