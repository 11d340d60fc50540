//! Below `/directory`.

pub(crate) mod room;
