//! The HTTP edge over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod listener;
mod tls;
