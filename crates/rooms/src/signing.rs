//! Signing events as a server, and checking what others signed (server-server specification, "Signing Events").

use ruma::{
    CanonicalJsonObject, OwnedServerName, ServerName, ServerSigningKeyId,
    canonical_json::{CanonicalJsonFieldError, redact},
    signatures::{
        Ed25519KeyPair, JsonError, PublicKeyMap, VerificationError, Verified, hash_and_sign_event,
        required_server_signatures_to_verify_event, sign_event, sign_json, verify_event,
    },
};

use crate::{
    pdu::{Pdu, PduError},
    version::RoomVersion,
};

/// A signature could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The seed is no ed25519 key.
    #[error("the signing key cannot be used: {0}")]
    Key(String),
    /// The object cannot be signed.
    #[error("the event cannot be signed: {0}")]
    Json(#[from] JsonError),
    /// The signed event is not an event any more, for example too large.
    #[error(transparent)]
    Pdu(#[from] PduError),
}

/// An event failed its signatures: it is dropped.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A signature is missing, or a key, or it is wrong.
    #[error("the event's signatures do not hold: {0}")]
    Signature(#[from] VerificationError),
    /// It cannot be redacted, which a wrong content hash asks for.
    #[error("the event cannot be redacted: {0}")]
    Redaction(#[from] CanonicalJsonFieldError),
    /// It is not an event.
    #[error(transparent)]
    Pdu(#[from] PduError),
}

/// Signs for a server with one of its ed25519 keys.
pub struct ServerSigner {
    server: OwnedServerName,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for ServerSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSigner").field("server", &self.server).field("key", &self.key.version()).finish_non_exhaustive()
    }
}

impl ServerSigner {
    /// A signer for `server` from the 32-byte seed of its key. `key_version` is what follows `ed25519:` in the key's id.
    ///
    /// # Errors
    ///
    /// If the key's id is malformed.
    pub fn new(server: OwnedServerName, key_version: &str, seed: &[u8; 32]) -> Result<Self, SigningError> {
        // PKCS#8 (RFC 8410) around an ed25519 seed: always these bytes and then the seed.
        const PKCS8: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        let id = format!("ed25519:{key_version}");
        <&ServerSigningKeyId>::try_from(id.as_str()).map_err(|error| SigningError::Key(error.to_string()))?;
        let document: Vec<u8> = PKCS8.iter().chain(seed).copied().collect();
        let key =
            Ed25519KeyPair::from_der(&document, key_version.to_owned()).map_err(|error| SigningError::Key(error.to_string()))?;
        Ok(Self { server, key })
    }

    /// The server it signs for.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The key's id, `ed25519:<version>`.
    #[must_use]
    pub fn key_id(&self) -> String {
        format!("ed25519:{}", self.key.version())
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    /// Signs any JSON object, adding to its `signatures`.
    ///
    /// # Errors
    ///
    /// If `signatures` is there and not an object of objects.
    pub fn sign_json(&self, object: &mut CanonicalJsonObject) -> Result<(), SigningError> {
        Ok(sign_json(self.server.as_str(), &self.key, object)?)
    }

    /// Adds the content hash and this server's signature to an event.
    ///
    /// # Errors
    ///
    /// If the event is too large or its `hashes` or `signatures` are not objects.
    pub fn hash_and_sign(&self, event: &mut CanonicalJsonObject, version: &RoomVersion) -> Result<(), SigningError> {
        Ok(hash_and_sign_event(self.server.as_str(), &self.key, event, &version.rules().redaction)?)
    }

    /// Adds this server's signature to another server's event: an invite to one of its users, a join that one of its users authorised.
    /// The event's id stays.
    ///
    /// # Errors
    ///
    /// If the event grows too large.
    pub fn co_sign(&self, event: &Pdu) -> Result<Pdu, SigningError> {
        let mut object = event.to_object();
        sign_event(self.server.as_str(), &self.key, &mut object, &event.version().rules().redaction)?;
        Ok(Pdu::from_object(object, event.version())?.with_rejected(event.is_rejected()))
    }
}

/// The servers whose signatures an event must have: its sender's, and for joins to restricted rooms the authorising user's.
///
/// # Errors
///
/// If the event does not say who that is.
pub fn required_signers(event: &Pdu) -> Result<Vec<OwnedServerName>, SignatureError> {
    let servers = required_server_signatures_to_verify_event(&event.to_object(), &event.version().rules().signatures)?;
    Ok(servers.into_iter().collect())
}

/// Checks the signatures and the content hash of a received event (server-server specification, "Checks performed on receipt of a PDU",
/// steps 2 and 3). `keys` holds the keys that were valid when the event was made: server name, key id, public key. Answers the event to
/// go on with: itself, or what a redaction leaves of it if the hash does not match its content.
///
/// # Errors
///
/// If a signature does not hold: the event is dropped.
pub fn verify(event: &Pdu, keys: &PublicKeyMap) -> Result<Pdu, SignatureError> {
    let object = event.to_object();
    match verify_event(keys, &object, event.version().rules())? {
        Verified::All => Ok(event.clone()),
        Verified::Signatures => {
            let redacted = redact(object, &event.version().rules().redaction, None)?;
            Ok(Pdu::from_object(redacted, event.version())?)
        }
    }
}

#[cfg(test)]
mod tests;
