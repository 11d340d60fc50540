//! What requests hold and events are made of.

pub(crate) mod create_body;
pub(crate) mod server_acl;
pub(crate) mod upgraded;
