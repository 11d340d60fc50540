//! A new access token on a new or known device.

use banyan_core::ServiceError;
use banyan_proto::{
    users::{self, Device, UserEntry, account::Kind},
    userserver::LoginResponse,
};
use banyan_users::{AccessToken, token};

use super::entries;
use crate::host::Inner;

/// The longest device id, in bytes.
const MAX_DEVICE_ID: usize = 255;
/// The longest name of a device, in bytes.
const MAX_DISPLAY_NAME: usize = 1024;

/// Which device is to have a token.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Empty: a new one.
    pub(crate) device_id: String,
    /// Not used where the device is known.
    pub(crate) display_name: String,
    pub(crate) remote_addr: String,
}

impl Wanted {
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        if self.device_id.len() > MAX_DEVICE_ID || self.device_id.contains('\0') {
            return Err(ServiceError::invalid_param("A device id has at most 255 bytes"));
        }
        if self.display_name.len() > MAX_DISPLAY_NAME {
            return Err(ServiceError::invalid_param("A device's name has at most 1024 bytes"));
        }
        Ok(())
    }
}

/// A token that is about to exist: its entries, and the answer once they are committed.
pub(crate) struct Issued {
    pub(crate) entries: Vec<UserEntry>,
    pub(crate) answer: LoginResponse,
}

/// Issues a token. What the device had before is revoked (specification: "Relationship between access tokens and devices").
///
/// A command that is repeated after a lost answer issues another token for the device of its first try and so replaces the first one,
/// which nobody got: deriving the same token again would need a secret beside the request id that the log holds in clear, and
/// whoever reads the database would then have every token.
pub(crate) async fn issue(inner: &Inner, user_id: &str, kind: Kind, wanted: &Wanted) -> Result<Issued, ServiceError> {
    let shared = &inner.shared;
    let device_id = match wanted.device_id.as_str() {
        "" => token::device_id(&*shared.entropy),
        known => known.to_owned(),
    };
    let now = shared.clock.now().0;
    let known = shared.reader.device(user_id, &device_id).await?;
    let mut entries = Vec::new();
    let mut device =
        known.unwrap_or_else(|| Device { display_name: wanted.display_name.clone(), created: now, ..Device::default() });
    let replaced = std::mem::take(&mut device.token_hashes);
    if !replaced.is_empty() {
        entries.push(entries::tokens_revoked(user_id, replaced));
    }
    let access_token = AccessToken::generate(&*shared.entropy);
    let hash = access_token.hash();
    device.token_hashes = vec![hash.as_bytes().to_vec().into()];
    device.last_seen = now;
    device.last_seen_ip.clone_from(&wanted.remote_addr);
    let row = users::AccessToken {
        user_id: user_id.to_owned(),
        device_id: device_id.clone(),
        created: now,
        expires: 0,
        kind: kind.into(),
    };
    entries.push(entries::device(user_id, &device_id, Some(device)));
    entries.push(entries::token_issued(user_id, &hash, row));
    let answer = LoginResponse { user_id: user_id.to_owned(), access_token: access_token.reveal().to_owned(), device_id };
    Ok(Issued { entries, answer })
}
