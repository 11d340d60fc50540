//! Signing keys in memory.

use std::fmt;

use banyan_core::{Entropy, TimestampMicros};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ed25519_dalek::{SigningKey, pkcs8::ALGORITHM_OID};
use ruma::signatures::Ed25519KeyPair;
use zeroize::Zeroizing;

/// An ed25519 key that signs for a tenant. The secret is wiped when dropped and never shown.
pub struct ServerKey {
    name: String,
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    pair: Ed25519KeyPair,
}

impl ServerKey {
    /// A key from its secret. `name` is what stands behind `ed25519:`; characters of `A-Z a-z 0-9 _`.
    ///
    /// # Errors
    /// Says what is wrong with the name.
    pub fn new(name: &str, secret: Zeroizing<[u8; 32]>) -> Result<Self, String> {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("a key's name has one or more of the characters A-Z a-z 0-9 _".to_owned());
        }
        let public = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
        let pair =
            Ed25519KeyPair::new(ALGORITHM_OID, secret.as_slice(), Some(&public), name.to_owned()).map_err(|e| e.to_string())?;
        Ok(Self { name: name.to_owned(), secret, public, pair })
    }

    /// A new key with a name of its own.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let name = format!("a_{}", entropy.alphanumeric(6));
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(secret.as_mut());
        Self::new(&name, secret).expect("32 bytes and an alphanumeric name make a key")
    }

    /// For example `ed25519:a_x7Kq`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("ed25519:{}", self.name)
    }

    /// What stands behind `ed25519:`; ruma calls it the version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The public key in unpadded base64.
    #[must_use]
    pub fn public_base64(&self) -> String {
        STANDARD_NO_PAD.encode(self.public)
    }

    /// What ruma's signing functions take.
    #[must_use]
    pub const fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }

    /// The secret itself, for signers that keep a key pair of their own.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").field("id", &self.id()).field("public", &self.public_base64()).finish_non_exhaustive()
    }
}

/// A key that signed once and no longer does, as `/_matrix/key/v2/server` lists it in `old_verify_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldVerifyKey {
    /// For example `ed25519:a_x7Kq`.
    pub id: String,
    /// The public key.
    pub public: [u8; 32],
    /// When it stopped signing.
    pub expired: TimestampMicros,
}

impl OldVerifyKey {
    /// The public key in unpadded base64.
    #[must_use]
    pub fn public_base64(&self) -> String {
        STANDARD_NO_PAD.encode(self.public)
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::SeededEntropy;
    use ruma::signatures::KeyPair;

    use super::*;

    /// Specification, appendices, "Cryptographic test vectors": seed and signature of an empty object.
    #[test]
    fn it_signs_as_the_specification_says() {
        let seed = crate::key_file::BASE64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").expect("base64");
        let key = ServerKey::new("1", Zeroizing::new(seed.try_into().expect("32 bytes"))).expect("a key");
        assert_eq!(key.id(), "ed25519:1");
        let signature = key.pair().sign(b"{}");
        assert_eq!(signature.base64(), "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ");
        assert_eq!(signature.id(), "ed25519:1");
    }

    #[test]
    fn the_secret_is_never_shown() {
        let key = ServerKey::generate(&SeededEntropy::new(7));
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.public_base64()));
        assert!(!shown.contains(&STANDARD_NO_PAD.encode(key.secret())));
        assert!(!shown.contains(&format!("{:?}", key.secret())));
    }

    #[test]
    fn a_name_must_fit_a_key_id() {
        for name in ["", "a:b", "a b", "ä"] {
            assert!(ServerKey::new(name, Zeroizing::new([1; 32])).is_err(), "{name:?}");
        }
    }
}
