//! `pos`: the positions in the logs, and which row of a connection it goes on from. Its first part is what a `next_batch` is.

use std::fmt;

use banyan_core::{ShardCount, TimestampMicros};
use banyan_rooms::stream_token::StreamToken;

use crate::error::SyncError;

/// A row of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Which of the two.
    pub slot: u8,
    /// When it was written: no two rows of a connection have the same.
    pub at: TimestampMicros,
}

/// What a client has: all that the row says, and everything below the token in the rooms that the row calls current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The row.
    pub base: Base,
    /// The logs.
    pub token: StreamToken,
}

impl Position {
    /// Reads a `pos`.
    ///
    /// # Errors
    /// [`SyncError::Position`] for every text that is none of this installation's.
    pub fn parse(text: &str, shards: ShardCount) -> Result<Self, SyncError> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(SyncError::Position);
        let token = StreamToken::parse(next()?, shards).map_err(|_| SyncError::Position)?;
        let slot = match next()? {
            "0" => 0,
            "1" => 1,
            _ => return Err(SyncError::Position),
        };
        let at = next()?.parse().map(TimestampMicros).map_err(|_| SyncError::Position)?;
        Ok(Self { base: Base { slot, at }, token })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.token, self.base.slot, self.base.at.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_nothing_else_does() {
        let shards = ShardCount::new(4).unwrap();
        let position = Position { base: Base { slot: 1, at: TimestampMicros(12) }, token: StreamToken::start(shards) };
        let text = position.to_string();
        assert_eq!(Position::parse(&text, shards).unwrap(), position);
        let stream = position.token.to_string();
        let others = ["2.12", "1", "1.", "1.x", ".12", "1.12.3"].map(|base| format!("{stream}.{base}"));
        for wrong in others.iter().map(String::as_str).chain(["", "5", &stream, &text[1..], "1.12"]) {
            assert!(matches!(Position::parse(wrong, shards), Err(SyncError::Position)), "{wrong}");
        }
        assert!(Position::parse(&text, ShardCount::new(8).unwrap()).is_err());
    }
}
