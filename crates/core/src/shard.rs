//! Shards and positions in their logs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The number of shards of each [`LogKind`]: a power of two, fixed when an installation first starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardCount(u16);

impl ShardCount {
    /// The count that every installation starts with, the embedded one too: so no fault between shards hides on a laptop.
    pub const DEFAULT: Self = Self(64);

    /// A count, if it is a power of two from 1 to 4096.
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count.is_power_of_two() && count <= 4096 { Some(Self(count)) } else { None }
    }

    /// How many shards there are.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The shard that a name (a room id, a user id, an alias, a registration token) belongs to.
    #[must_use]
    pub fn shard_of(self, name: &str) -> ShardId {
        let hash = xxh3_64(name.as_bytes()) % u64::from(self.0);
        ShardId(u16::try_from(hash).unwrap_or_default())
    }

    /// All shards, in order.
    pub fn shards(self) -> impl DoubleEndedIterator<Item = ShardId> + ExactSizeIterator {
        (0..self.0).map(ShardId)
    }
}

impl Default for ShardCount {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One shard of a [`LogKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a log's shards divide up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Rooms and room aliases, owned by the roomserver.
    Rooms,
    /// Users, local and remote, and names that must be unique among them, owned by the userserver.
    Users,
}

impl LogKind {
    /// The short form used in storage keys and bus subjects: `rm` or `us`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rooms => "rm",
            Self::Users => "us",
        }
    }
}

/// One shard's log. Written `rm.7` in storage keys, bus subjects and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogId {
    /// What the log is about.
    pub kind: LogKind,
    /// Which of its shards.
    pub shard: ShardId,
}

impl LogId {
    /// The log of room shard `shard`.
    #[must_use]
    pub const fn rooms(shard: ShardId) -> Self {
        Self { kind: LogKind::Rooms, shard }
    }

    /// The log of user shard `shard`.
    #[must_use]
    pub const fn users(shard: ShardId) -> Self {
        Self { kind: LogKind::Users, shard }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.shard)
    }
}

/// The text was no log's name.
#[derive(Debug, thiserror::Error)]
#[error("not a log's name: {0:?} (expected rm.<shard> or us.<shard>)")]
pub struct ParseLogIdError(String);

impl FromStr for LogId {
    type Err = ParseLogIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseLogIdError(text.to_owned());
        let (kind, shard) = text.split_once('.').ok_or_else(error)?;
        let kind = match kind {
            "rm" => LogKind::Rooms,
            "us" => LogKind::Users,
            _ => return Err(error()),
        };
        Ok(Self { kind, shard: ShardId(shard.parse().map_err(|_| error())?) })
    }
}

/// A position in a shard's log. The first entry is 0; `LogSeq(n)` as a bound means "the entries below n".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogSeq(pub u64);

impl LogSeq {
    /// The position `n` entries on.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self(self.0 + n)
    }
}

impl fmt::Display for LogSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A term of ownership of a log: every claim raises it by one, so two owners never share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the next claim.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_id_reads_back_from_its_text() {
        let log = LogId::users(ShardId(63));
        assert_eq!(log.to_string(), "us.63");
        assert_eq!(log.to_string().parse::<LogId>().ok(), Some(log));
        assert!("xx.1".parse::<LogId>().is_err());
        assert!("rm.".parse::<LogId>().is_err());
    }

    #[test]
    fn only_powers_of_two_count_shards() {
        assert!(ShardCount::new(64).is_some());
        assert!(ShardCount::new(0).is_none());
        assert!(ShardCount::new(48).is_none());
    }

    #[test]
    fn names_spread_over_all_shards() {
        let mut seen = [false; 64];
        for n in 0..2000 {
            seen[usize::from(ShardCount::DEFAULT.shard_of(&format!("!room{n}:example.org")).0)] = true;
        }
        assert!(seen.iter().all(|hit| *hit));
    }
}
