//! Devices that wait to be let in by somebody in a browser elsewhere (specification: "Device authorisation grant"; RFC 8628).

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, RequestId, ServiceError};
use banyan_proto::users::{OauthDeviceCodeRow, OauthGrant, OauthUserCodeRow};
use banyan_store::{Key, Store, key};
use bytes::Bytes;

use crate::{
    TokenHash,
    conditional::{ConditionalRows, Stored, left},
    tables::{OAUTH_DEVICE_CODE, OAUTH_USER_CODE},
};

/// What a device code begins with.
const PREFIX: &str = "bynd_";
/// The letters of user codes: no vowels, so that no words come about, and nothing that looks like another one (RFC 8628, section 6.1).
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them: with 20 letters a guess is right once in 25 billion.
const USER_CODE: usize = 8;
/// How long a device code is remembered after its end, so that its device is told that it is over.
const REMEMBERED: Duration = Duration::from_secs(600);
/// By how much the wait grows for a device that asks too often (RFC 8628, section 3.5).
const SLOWER: u32 = 5;
/// Tries of a person's answer that others come in between of.
const ATTEMPTS: usize = 4;

/// Keeps devices that wait.
#[derive(Clone)]
pub struct OauthDevices {
    devices: ConditionalRows,
    user_codes: ConditionalRows,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The two codes of a device.
#[derive(Clone)]
pub struct DeviceCodes {
    /// For the device alone.
    pub device_code: String,
    /// For a person to type: eight letters in two groups.
    pub user_code: String,
}

/// What a device that asks is told.
#[derive(Debug)]
pub enum Polled {
    /// There is no such code, or it was used, or is another app's.
    Unknown,
    /// Nobody has decided yet.
    Pending,
    /// So too, and it asks too often.
    SlowDown,
    /// Somebody said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// It is let in, once.
    Allowed {
        /// What was allowed.
        grant: OauthGrant,
        /// Names the command that makes the session.
        request_id: RequestId,
    },
}

impl std::fmt::Debug for DeviceCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceCodes(<hidden>)")
    }
}

impl std::fmt::Debug for OauthDevices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthDevices")
    }
}

impl OauthDevices {
    /// How long a person has to decide.
    pub const LIFETIME: Duration = Duration::from_secs(20 * 60);
    /// Seconds between two polls.
    pub const INTERVAL: u32 = 5;

    /// Keeps devices in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let devices = ConditionalRows::new(store.clone(), &OAUTH_DEVICE_CODE);
        Self { devices, user_codes: ConditionalRows::new(store, &OAUTH_USER_CODE), clock, entropy }
    }

    /// A device begins to wait. `grant` names no user.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin(&self, grant: OauthGrant) -> Result<DeviceCodes, ServiceError> {
        let device_code = format!("{PREFIX}{}", self.entropy.alphanumeric(40));
        let tenant = grant.tenant.clone();
        let lifetime = i64::try_from(Self::LIFETIME.as_micros()).unwrap_or(i64::MAX / 2);
        let expires = self.clock.now().0.saturating_add(lifetime);
        let row = OauthDeviceCodeRow {
            grant: Some(grant),
            expires,
            interval: Self::INTERVAL,
            request_id: Bytes::copy_from_slice(&RequestId::generate(&*self.clock, &*self.entropy).to_bytes()),
            ..OauthDeviceCodeRow::default()
        };
        let hash = Bytes::copy_from_slice(TokenHash::of(&device_code).as_bytes());
        if !self.devices.insert(&key![hash.clone()], &row, Some(Self::LIFETIME + REMEMBERED)).await? {
            return Err(ServiceError::internal("a random device code was there already"));
        }
        let typed = OauthUserCodeRow { device_code_hash: hash, expires };
        // One in billions is taken: then another.
        loop {
            let user_code = self.entropy.text(USER_CODE, LETTERS);
            if self.user_codes.insert(&user_code_key(&tenant, &user_code), &typed, Some(Self::LIFETIME)).await? {
                let (one, two) = user_code.split_at(USER_CODE / 2);
                return Ok(DeviceCodes { device_code, user_code: format!("{one}-{two}") });
            }
        }
    }

    /// What a device asks for, by what a person typed; `None` if it is unknown, over, or was decided.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, user_code: &str) -> Result<Option<OauthGrant>, ServiceError> {
        Ok(self.waiting(tenant, user_code).await?.and_then(|(_, stored)| stored.row.grant))
    }

    /// Decides for a person who typed the code: lets the device in as `user_id`, or not. False: somebody decided before, or it is over.
    ///
    /// # Errors
    /// The store failed.
    pub async fn decide(&self, tenant: &str, user_code: &str, user_id: Option<&str>) -> Result<bool, ServiceError> {
        // The device asks meanwhile, which changes its row.
        for _ in 0..ATTEMPTS {
            let Some((partition, stored)) = self.waiting(tenant, user_code).await? else { return Ok(false) };
            let mut row = stored.row.clone();
            match (user_id, &mut row.grant) {
                (Some(user_id), Some(grant)) => user_id.clone_into(&mut grant.user_id),
                _ => row.denied = true,
            }
            if self.devices.replace(&partition, &stored, &row, self.ttl(&row)).await? {
                return Ok(true);
            }
        }
        Err(ServiceError::unavailable("Too much happens at once; please try again"))
    }

    /// A device asks whether it is let in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn poll(&self, tenant: &str, client_id: &str, device_code: &str) -> Result<Polled, ServiceError> {
        let partition = key![TokenHash::of(device_code).as_bytes().as_slice()];
        let Some(stored) = self.devices.read::<OauthDeviceCodeRow>(&partition).await? else { return Ok(Polled::Unknown) };
        let (row, now) = (stored.row.clone(), self.clock.now().0);
        let Some(grant) = row.grant.clone().filter(|grant| grant.tenant == tenant && grant.client_id == client_id) else {
            return Ok(Polled::Unknown);
        };
        if !row.used_by.is_empty() {
            return Ok(Polled::Unknown);
        }
        if row.denied {
            return Ok(Polled::Denied);
        }
        if row.expires <= now {
            return Ok(Polled::Expired);
        }
        if grant.user_id.is_empty() {
            return self.wait(&partition, &stored, now).await;
        }
        let used = OauthDeviceCodeRow { used_by: self.entropy.alphanumeric(16).into(), ..row.clone() };
        let request_id = RequestId::from_slice(&row.request_id);
        let request_id = request_id.ok_or_else(|| ServiceError::internal("a device code without a request id"))?;
        let mine = self.devices.replace(&partition, &stored, &used, self.ttl(&used)).await?;
        Ok(if mine { Polled::Allowed { grant, request_id } } else { Polled::Unknown })
    }

    /// Makes a code usable again, because no session came of it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn restore(&self, device_code: &str) -> Result<(), ServiceError> {
        let partition = key![TokenHash::of(device_code).as_bytes().as_slice()];
        if let Some(stored) = self.devices.read::<OauthDeviceCodeRow>(&partition).await? {
            let row = OauthDeviceCodeRow { used_by: Bytes::new(), ..stored.row.clone() };
            self.devices.replace(&partition, &stored, &row, self.ttl(&row)).await?;
        }
        Ok(())
    }

    async fn wait(&self, partition: &Key, stored: &Stored<OauthDeviceCodeRow>, now: i64) -> Result<Polled, ServiceError> {
        let mut row = OauthDeviceCodeRow { polled: now, ..stored.row.clone() };
        // A little early is on time: clocks and networks are not that even.
        let wait = i64::from(row.interval).saturating_mul(1_000_000) * 9 / 10;
        let hasty = now.saturating_sub(stored.row.polled) < wait;
        if hasty {
            row.interval = row.interval.saturating_add(SLOWER);
        }
        // Refused: a person just decided, or the device asks twice at once; it learns of it the next time.
        self.devices.replace(partition, stored, &row, self.ttl(&row)).await?;
        Ok(if hasty { Polled::SlowDown } else { Polled::Pending })
    }

    async fn waiting(&self, tenant: &str, user_code: &str) -> Result<Option<(Key, Stored<OauthDeviceCodeRow>)>, ServiceError> {
        let now = self.clock.now().0;
        let Some(typed) = self.user_codes.read::<OauthUserCodeRow>(&user_code_key(tenant, user_code)).await? else {
            return Ok(None);
        };
        let partition = key![typed.row.device_code_hash];
        let Some(stored) = self.devices.read::<OauthDeviceCodeRow>(&partition).await? else { return Ok(None) };
        let undecided = |row: &OauthDeviceCodeRow| {
            let grant = row.grant.as_ref();
            !row.denied && row.expires > now && grant.is_some_and(|grant| grant.tenant == tenant && grant.user_id.is_empty())
        };
        Ok(undecided(&stored.row).then_some((partition, stored)))
    }

    fn ttl(&self, row: &OauthDeviceCodeRow) -> Option<Duration> {
        left(row.expires, self.clock.now().0).map(|left| left + REMEMBERED)
    }
}

/// As it was given out, however it was typed.
fn user_code_key(tenant: &str, typed: &str) -> Key {
    let letters: String = typed.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
    key![TokenHash::of(&format!("{tenant}/{letters}")).as_bytes().as_slice()]
}
