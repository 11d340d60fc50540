//! A new access token on a new or known device.

use std::time::Duration;

use banyan_core::ServiceError;
use banyan_proto::{
    users::{self, Device, UserEntry, account::Kind},
    userserver::LoginResponse,
};
use banyan_users::{AccessToken, token};
use prost::bytes::Bytes;

use super::{command::Command, dehydrated_device::no_longer, entries};
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
    /// How long the access token is to last, for a client that can refresh it; `None`: for ever.
    pub(crate) lifetime: Option<Duration>,
    /// The app that a grant lets in; empty without one.
    pub(crate) oauth_client: String,
}

/// How long a tenant's access tokens last for clients that can refresh them.
pub(crate) fn lifetime(command: &Command, refreshable: bool) -> Option<Duration> {
    refreshable.then(|| Duration::from_secs(command.tenant.config().login.access_token_seconds))
}

impl Wanted {
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        if self.device_id.len() > MAX_DEVICE_ID || self.device_id.contains('\0') {
            return Err(ServiceError::invalid_param("A device id has at most 255 bytes"));
        }
        check_display_name(&self.display_name)
    }
}

/// Refuses a name of a device that is too long.
pub(crate) fn check_display_name(display_name: &str) -> Result<(), ServiceError> {
    if display_name.len() > MAX_DISPLAY_NAME {
        return Err(ServiceError::invalid_param("A device's name has at most 1024 bytes"));
    }
    Ok(())
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
    let mut entries: Vec<UserEntry> = no_longer(inner, user_id, &device_id).await?.into_iter().collect();
    let mut device =
        known.unwrap_or_else(|| Device { display_name: wanted.display_name.clone(), created: now, ..Device::default() });
    let (replaced, refreshed) = (std::mem::take(&mut device.token_hashes), std::mem::take(&mut device.refresh_hashes));
    entries.extend(entries::tokens_revoked(user_id, replaced, refreshed));
    device.next_token = Bytes::new();
    device.next_refresh = Bytes::new();
    device.oauth_client.clone_from(&wanted.oauth_client);
    device.last_seen = now;
    device.last_seen_ip.clone_from(&wanted.remote_addr);
    let oauth_client = wanted.oauth_client.as_str();
    let pair = Pair { user_id, device_id: &device_id, kind, lifetime: wanted.lifetime, unconfirmed: false, oauth_client };
    let issued = pair.issue(inner, &mut device);
    entries.push(entries::device(user_id, &device_id, Some(device)));
    entries.extend(issued.entries);
    Ok(Issued { entries, answer: issued.answer })
}

/// An access token of a device, with a refresh token where it ends.
pub(crate) struct Pair<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) device_id: &'a str,
    pub(crate) kind: Kind,
    pub(crate) lifetime: Option<Duration>,
    /// Its first use ends what came before it.
    pub(crate) unconfirmed: bool,
    /// The app that they are for; empty without a grant.
    pub(crate) oauth_client: &'a str,
}

impl Pair<'_> {
    /// Makes the tokens and notes them with the device; the device's own entry is the caller's.
    pub(crate) fn issue(&self, inner: &Inner, device: &mut Device) -> Issued {
        let (entropy, now) = (&*inner.shared.entropy, inner.shared.clock.now().0);
        let lasts = self.lifetime.map(|lifetime| i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX / 2));
        let access_token = AccessToken::generate(entropy);
        let hash = access_token.hash();
        device.token_hashes.push(hash.as_bytes().to_vec().into());
        let row = users::AccessToken {
            user_id: self.user_id.to_owned(),
            device_id: self.device_id.to_owned(),
            created: now,
            expires: lasts.map_or(0, |lasts| now.saturating_add(lasts)),
            kind: self.kind.into(),
            unconfirmed: self.unconfirmed,
            oauth_client: self.oauth_client.to_owned(),
        };
        let mut entries = vec![entries::token_issued(self.user_id, &hash, row)];
        let mut answer = LoginResponse {
            user_id: self.user_id.to_owned(),
            access_token: access_token.reveal().to_owned(),
            device_id: self.device_id.to_owned(),
            ..LoginResponse::default()
        };
        if let Some(lifetime) = self.lifetime {
            let refresh_token = AccessToken::generate_refresh(entropy);
            let hash = refresh_token.hash();
            device.refresh_hashes.push(hash.as_bytes().to_vec().into());
            let row = users::RefreshToken {
                user_id: self.user_id.to_owned(),
                device_id: self.device_id.to_owned(),
                created: now,
                oauth_client: self.oauth_client.to_owned(),
            };
            entries.push(entries::refresh_issued(self.user_id, &hash, row));
            answer.refresh_token = refresh_token.reveal().to_owned();
            answer.expires_in_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        }
        Issued { entries, answer }
    }
}
