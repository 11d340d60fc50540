//! Several processes in one: discovery, ownership, routing, health and traces over the memory store and the local bus.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod cluster;
mod drain;
mod health;
mod host;
mod http;
mod installation;
mod ownership;
mod partition;
mod router;
mod tracing_across;
