//! Rooms: events and their rules, the state of rooms, and what is stored of them.
//!
//! From the inside out: [`version`] gives the rules of a room version; [`pdu`] reads events, [`event_builder`] makes, [`signing`] signs
//! and [`redaction`] prunes them; [`auth`] judges an event against a state; [`state`] keeps states as tries that share their nodes;
//! [`resolution`] merges states; [`placement`] puts all of it together: an event goes in, what its log entry says comes out.

pub mod apply;
pub mod auth;
pub mod auth_chain;
pub mod authoriser;
pub mod bundle;
pub mod client_event;
pub mod event_builder;
pub mod event_source;
pub mod graph;
pub mod heroes;
mod metrics;
pub mod pdu;
mod place;
pub mod placement;
pub mod power;
mod read_error;
pub mod reader;
pub mod redaction;
pub mod relation;
pub mod resolution;
pub mod signing;
pub mod state;
pub mod stream_token;
pub mod stripped;
pub mod summary;
pub mod tables;
pub mod version;
pub mod visibility;

pub use place::RoomPlace;
pub use read_error::ReadError;

#[cfg(test)]
mod testing;
