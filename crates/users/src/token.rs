//! Access tokens and device ids.

use std::fmt;

use banyan_core::Entropy;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What an access token begins with, so that one that leaked into a log or a repository is recognised.
pub const ACCESS_TOKEN_PREFIX: &str = "byn_";

/// What a refresh token begins with.
pub const REFRESH_TOKEN_PREFIX: &str = "bynr_";

/// An access token, or a refresh token, as its client has it. Stored nowhere; wiped when dropped; never shown.
#[derive(Clone)]
pub struct AccessToken(Zeroizing<String>);

impl AccessToken {
    /// A new token: 40 random characters, about 238 bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let random = Zeroizing::new(entropy.alphanumeric(40));
        Self(Zeroizing::new(format!("{ACCESS_TOKEN_PREFIX}{}", random.as_str())))
    }

    /// A new refresh token, as random.
    #[must_use]
    pub fn generate_refresh(entropy: &dyn Entropy) -> Self {
        let random = Zeroizing::new(entropy.alphanumeric(40));
        Self(Zeroizing::new(format!("{REFRESH_TOKEN_PREFIX}{}", random.as_str())))
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// The text that goes to the client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(<hidden>)")
    }
}

/// The BLAKE3 hash of an access token: what is stored and what services call the token by.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as it came from a client.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }

    /// The hash from its 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2])
    }
}

/// A new device id: ten capital letters, as clients show them to people.
#[must_use]
pub fn device_id(entropy: &dyn Entropy) -> String {
    entropy.text(10, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

/// The id of a filter: the same filter of anyone has the same id. `filter` is its canonical JSON.
#[must_use]
pub fn filter_id(filter: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&blake3::hash(filter).as_bytes()[..18])
}

/// The name whose shard owns the uses of a registration token (see `ShardCount::shard_of`).
#[must_use]
pub fn registration_token_name(tenant: &str, token: &str) -> String {
    format!("{tenant}/{token}")
}

#[cfg(test)]
mod tests {
    use banyan_core::SeededEntropy;

    use super::*;

    #[test]
    fn tokens_differ_and_are_never_shown() {
        let entropy = SeededEntropy::new(3);
        let (one, two) = (AccessToken::generate(&entropy), AccessToken::generate(&entropy));
        assert_ne!(one.reveal(), two.reveal());
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.hash(), TokenHash::of(one.reveal()));
        assert_eq!(one.reveal().len(), 44);
        assert!(!format!("{one:?}{:?}", one.hash()).contains(&one.reveal()[4..]));
    }

    #[test]
    fn a_filter_id_never_looks_like_json() {
        for n in 0..200 {
            let id = filter_id(format!("{{\"n\":{n}}}").as_bytes());
            assert_eq!(id.len(), 24);
            assert!(!id.starts_with('{'));
        }
    }
}
