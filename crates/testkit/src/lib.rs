//! What tests of all crates share: real servers on loopback, and child processes that end with the test.

mod cache;
pub mod cassandra;
pub mod nats;
pub mod ports;
pub mod process;
pub mod smtp;

pub use cache::cache_dir;
