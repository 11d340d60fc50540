//! The log as its users see it, on the memory store and the in-process bus.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod world;

mod backpressure;
mod following;
mod handover;
mod owning;
mod parking;
mod requests;
mod retention;
mod sources;
mod starting;
