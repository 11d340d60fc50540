//! End-to-end tests of whole installations, and of the rules that hold the workspace together.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod chaos;
mod claims;
mod clients;
mod faults;
mod launch;
mod oauth;
mod operations;
mod people;
mod secrets;
mod structure;
mod tenants;
mod traces;
mod unread;
