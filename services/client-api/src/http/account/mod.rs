//! Below `/account`.

pub(crate) mod deactivate;
pub(crate) mod password;
pub(crate) mod threepids;
pub(crate) mod whoami;
