//! Starts installations of Banyan and talks to them.

pub mod certificate;
pub mod chat;
pub mod client;

pub use client::{ClientError, Homeserver, Session};
