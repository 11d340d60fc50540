//! Keys of devices and users, and their signatures.

use std::collections::BTreeMap;

use banyan_proto::users::{
    CrossSigningKeyRow, CrossSigningUsage, DehydratedDevice, DeviceKeyRow, KeyPool, KeySignature, OneTimeKey,
};
use banyan_store::{Bound, KeyPart, Range, Row, key};

use super::{PAGE, UserReader, decode, text};
use crate::{
    ReadError,
    keys::{
        cross_signing::{CrossSigningKey, KeySet},
        pool::{self, KeyCounts},
    },
    tables::{CROSS_SIGNING_KEY, DEHYDRATED_DEVICE, DEVICE_KEY, KEY_POOL, KEY_SIGNATURE, ONE_TIME_KEY},
};

impl UserReader {
    /// Identity keys of a device, as uploaded; `None` if it has none.
    pub async fn device_key(&self, user_id: &str, device_id: &str) -> Result<Option<DeviceKeyRow>, ReadError> {
        self.get(&DEVICE_KEY, key![user_id], key![device_id]).await
    }

    /// Identity keys of all devices of a user that have some, by device id.
    pub async fn device_keys(&self, user_id: &str) -> Result<BTreeMap<String, DeviceKeyRow>, ReadError> {
        let rows = self.scan(&DEVICE_KEY, key![user_id], Range::all(PAGE)).await?;
        let read = |row: Row| Ok((text(&DEVICE_KEY, &row.clustering, 0)?, decode(&DEVICE_KEY, row.value)?));
        rows.into_iter().map(read).collect()
    }

    /// The dehydrated device of a user (MSC3814); `None` if there is none.
    pub async fn dehydrated_device(&self, user_id: &str) -> Result<Option<DehydratedDevice>, ReadError> {
        self.get(&DEHYDRATED_DEVICE, key![user_id], key![]).await
    }

    /// How many one-time keys of a device are unclaimed, and which of its fallback keys are unused.
    pub async fn key_counts(&self, user_id: &str, device_id: &str) -> Result<KeyCounts, ReadError> {
        Ok(pool::counts(&self.key_pool(user_id, device_id).await?.unwrap_or_default()))
    }

    /// What one-time and fallback keys a device has; `None` if it never had any.
    pub async fn key_pool(&self, user_id: &str, device_id: &str) -> Result<Option<KeyPool>, ReadError> {
        self.get(&KEY_POOL, key![user_id], key![device_id]).await
    }

    /// The one-time keys of a device at positions from `from` on, claimed ones too.
    pub async fn one_time_keys(
        &self,
        user_id: &str,
        device_id: &str,
        algorithm: &str,
        from: u64,
    ) -> Result<Vec<OneTimeKey>, ReadError> {
        let from = Bound::Included(key![algorithm, i64::try_from(from).unwrap_or(i64::MAX)]);
        let range = Range { from, ..Range::prefix(key![algorithm], PAGE) };
        let rows = self.scan(&ONE_TIME_KEY, key![user_id, device_id], range).await?;
        rows.into_iter().map(|row| decode(&ONE_TIME_KEY, row.value)).collect()
    }

    /// The one-time key at a position.
    pub async fn one_time_key(
        &self,
        user_id: &str,
        device_id: &str,
        algorithm: &str,
        position: u64,
    ) -> Result<Option<OneTimeKey>, ReadError> {
        let clustering = key![algorithm, i64::try_from(position).unwrap_or(i64::MAX)];
        self.get(&ONE_TIME_KEY, key![user_id, device_id], clustering).await
    }

    /// A cross-signing key of a user, without what others signed; `None` if there is none.
    pub async fn cross_signing_key(&self, user_id: &str, usage: CrossSigningUsage) -> Result<Option<CrossSigningKey>, ReadError> {
        let row: Option<CrossSigningKeyRow> =
            self.get(&CROSS_SIGNING_KEY, key![user_id], key![i64::from(i32::from(usage))]).await?;
        row.as_ref().map(cross_signing_key).transpose()
    }

    /// The cross-signing keys of a user, without what others signed.
    pub async fn cross_signing_keys(&self, user_id: &str) -> Result<KeySet, ReadError> {
        let mut keys = KeySet::default();
        for row in self.scan(&CROSS_SIGNING_KEY, key![user_id], Range::all(PAGE)).await? {
            let usage = row.clustering.first().and_then(KeyPart::as_int).and_then(|usage| i32::try_from(usage).ok());
            let key = match usage.and_then(|usage| CrossSigningUsage::try_from(usage).ok()).ok_or_else(not_a_key)? {
                CrossSigningUsage::Master => &mut keys.master,
                CrossSigningUsage::SelfSigning => &mut keys.self_signing,
                CrossSigningUsage::UserSigning => &mut keys.user_signing,
            };
            *key = Some(cross_signing_key(&decode(&CROSS_SIGNING_KEY, row.value)?)?);
        }
        Ok(keys)
    }

    /// The signatures that `signer`'s keys made of keys of `target_user`.
    pub async fn key_signatures(&self, signer: &str, target_user: &str) -> Result<Vec<KeySignature>, ReadError> {
        let rows = self.scan(&KEY_SIGNATURE, key![signer], Range::prefix(key![target_user], PAGE)).await?;
        rows.into_iter().map(|row| decode(&KEY_SIGNATURE, row.value)).collect()
    }
}

fn cross_signing_key(row: &CrossSigningKeyRow) -> Result<CrossSigningKey, ReadError> {
    CrossSigningKey::stored(&row.key).ok_or_else(not_a_key)
}

fn not_a_key() -> ReadError {
    ReadError::Corrupt { table: CROSS_SIGNING_KEY.name, problem: "not a key".to_owned() }
}
