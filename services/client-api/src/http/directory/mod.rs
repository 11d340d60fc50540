//! Below `/directory`.

pub(crate) mod list;
pub(crate) mod room;
