//! Starts installations of Banyan and talks to them.

pub mod binary;
pub mod certificate;
pub mod chat;
pub mod client;
pub mod cluster;
pub mod encrypted;
pub mod node;
pub mod oauth;
pub mod otlp;
pub mod spans;
pub mod traffic;

pub use client::{ClientError, Homeserver, Session};
pub use cluster::Cluster;
pub use node::{Common, Node};
pub use traffic::Traffic;
