//! Registration by a shared secret, as `/_synapse/admin/v1/register` speaks it: a nonce from the server, then the account's data
//! with an HMAC-SHA1 over it. Conformance suites and provisioning scripts make their accounts this way.

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ErrorCode, ServiceError, TimestampMicros};
use banyan_proto::users::RegistrationNonceRow;
use banyan_store::{Cas, Store, key};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha1::Sha1;

use crate::{error::store_error, tables::REGISTRATION_NONCE};

/// How long a nonce is good for.
const LIFETIME: Duration = Duration::from_secs(60);

/// What the HMAC covers, as the request has it.
#[derive(Clone, Copy)]
pub struct SignedRegistration<'a> {
    /// The nonce that [`SharedSecretRegistration::nonce`] gave.
    pub nonce: &'a str,
    /// The localpart.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// Whether the account administrates.
    pub admin: bool,
    /// Synapse's `user_type`, if given.
    pub user_type: Option<&'a str>,
    /// The HMAC in hexadecimal.
    pub mac: &'a str,
}

/// Gives nonces and checks requests; each nonce allows one account, whatever replica it is shown to.
#[derive(Clone)]
pub struct SharedSecretRegistration {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SharedSecretRegistration {
    /// Keeps nonces in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy }
    }

    /// A new nonce for `tenant`, good for one minute and one account.
    ///
    /// # Errors
    /// The store failed.
    pub async fn nonce(&self, tenant: &str) -> Result<String, ServiceError> {
        let nonce = self.entropy.alphanumeric(32);
        let expires = self.clock.now().0 + i64::try_from(LIFETIME.as_micros()).unwrap_or(i64::MAX / 2);
        let row = RegistrationNonceRow { tenant: tenant.to_owned(), expires }.encode_to_vec();
        match self.store.insert(&REGISTRATION_NONCE, &key![nonce.as_str()], &key![], row.into(), Some(LIFETIME)).await {
            Ok(Cas::Applied) => Ok(nonce),
            Ok(Cas::Refused(_)) => Err(ServiceError::internal("a random nonce was there already")),
            Err(error) => Err(store_error(&error)),
        }
    }

    /// Whether the holder of `secret` signed this request; uses the nonce up.
    ///
    /// # Errors
    /// 400 `M_UNKNOWN` for a nonce that is unknown, expired or used; 403 `M_UNKNOWN` for a wrong HMAC; or the store failed.
    pub async fn verify(&self, tenant: &str, secret: &str, request: SignedRegistration<'_>) -> Result<(), ServiceError> {
        let (partition, clustering) = (key![request.nonce], key![]);
        let stored = self.store.get_serial(&REGISTRATION_NONCE, &partition, &clustering).await.map_err(|e| store_error(&e))?;
        let stored = stored.filter(|row| is_valid(row, tenant, self.clock.now())).ok_or_else(unknown_nonce)?;
        if !mac_is_right(secret, request) {
            return Err(ServiceError::matrix(ErrorCode::Forbidden, "M_UNKNOWN", "HMAC incorrect"));
        }
        match self.store.replace(&REGISTRATION_NONCE, &partition, &clustering, stored, None, None).await {
            Ok(Cas::Applied) => Ok(()),
            Ok(Cas::Refused(_)) => Err(unknown_nonce()),
            Err(error) => Err(store_error(&error)),
        }
    }
}

impl std::fmt::Debug for SharedSecretRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecretRegistration")
    }
}

fn unknown_nonce() -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "unrecognised nonce")
}

fn is_valid(row: &Bytes, tenant: &str, now: TimestampMicros) -> bool {
    RegistrationNonceRow::decode(row.clone()).is_ok_and(|row| row.tenant == tenant && row.expires > now.0)
}

/// The HMAC of a request in hexadecimal, as the holder of `secret` makes it. The request's own is not looked at.
#[must_use]
pub fn sign(secret: &str, request: SignedRegistration<'_>) -> String {
    let mac = mac_of(secret, request).map(|mac| mac.finalize().into_bytes());
    mac.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC-SHA1, keyed by the secret, over nonce, user name, password, `admin` or `notadmin`, and the user type if given, with a zero byte
/// between them. There is one for keys of any length.
fn mac_of(secret: &str, request: SignedRegistration<'_>) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).ok()?;
    let admin = if request.admin { "admin" } else { "notadmin" };
    mac.update(request.nonce.as_bytes());
    for part in [Some(request.username), Some(request.password), Some(admin), request.user_type].into_iter().flatten() {
        mac.update(b"\0");
        mac.update(part.as_bytes());
    }
    Some(mac)
}

/// Compared in constant time.
fn mac_is_right(secret: &str, request: SignedRegistration<'_>) -> bool {
    let claimed = unhex(request.mac).zip(mac_of(secret, request));
    claimed.is_some_and(|(claimed, mac)| mac.verify_slice(&claimed).is_ok())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with: printf 'thenonce\0alice\0wonderland\0notadmin' | openssl dgst -sha1 -hmac shared
    const MAC: &str = "3a0b5618abc7c6c400d961729ee6e64c5222df18";
    const REQUEST: SignedRegistration<'static> = SignedRegistration {
        nonce: "thenonce",
        username: "alice",
        password: "wonderland",
        admin: false,
        user_type: None,
        mac: MAC,
    };

    #[test]
    fn the_mac_covers_every_part() {
        assert!(mac_is_right("shared", REQUEST));
        assert_eq!(sign("shared", SignedRegistration { mac: "", ..REQUEST }), MAC);
        assert!(mac_is_right("shared", SignedRegistration { mac: &MAC.to_uppercase(), ..REQUEST }));
        for wrong in [
            SignedRegistration { nonce: "other", ..REQUEST },
            SignedRegistration { username: "bob", ..REQUEST },
            SignedRegistration { password: "x", ..REQUEST },
            SignedRegistration { admin: true, ..REQUEST },
            SignedRegistration { user_type: Some("bot"), ..REQUEST },
            SignedRegistration { mac: "", ..REQUEST },
            SignedRegistration { mac: "zz", ..REQUEST },
            SignedRegistration { mac: &MAC[..38], ..REQUEST },
        ] {
            assert!(!mac_is_right("shared", wrong));
        }
        assert!(!mac_is_right("other", REQUEST));
    }
}
