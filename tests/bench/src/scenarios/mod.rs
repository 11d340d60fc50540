//! What is measured, one scenario per file. Each drives any homeserver.

pub(crate) mod delivery;
pub(crate) mod initial_sync;
pub(crate) mod sends;
pub(crate) mod wake;
