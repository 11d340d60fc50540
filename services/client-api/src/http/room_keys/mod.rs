//! Below `/room_keys`.

pub(crate) mod keys;
pub(crate) mod version;
