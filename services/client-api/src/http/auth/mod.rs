//! Pages below `/auth`.

pub(crate) mod fallback;
