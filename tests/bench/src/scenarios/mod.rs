//! What is measured, one scenario per file. Each drives any homeserver, but for `cluster`, which starts its own.

pub(crate) mod accounts;
pub(crate) mod cluster;
pub(crate) mod delivery;
pub(crate) mod initial_sync;
pub(crate) mod keys;
pub(crate) mod many_rooms;
mod rate;
pub(crate) mod sends;
pub(crate) mod wake;
