//! Names of commands, so that a retry can be told from a second command.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{clock::Clock, entropy::Entropy};

/// The name of one command, made at the edge and kept in the log entry it caused: whoever retries the command under the same
/// id is told what happened the first time. A ULID: 48 bits of time, 80 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u128);

impl RequestId {
    /// A new id.
    #[must_use]
    pub fn generate(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let millis = u128::try_from(clock.now().as_millis()).unwrap_or(0) & ((1 << 48) - 1);
        let random = (u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())) & ((1 << 80) - 1);
        Self(millis << 80 | random)
    }

    /// The 16 bytes that are stored and sent.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads the stored form; `None` unless it has 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ulid::Ulid(self.0).fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ulid::Ulid::from_string(text).map(|ulid| Self(ulid.0))
    }
}
