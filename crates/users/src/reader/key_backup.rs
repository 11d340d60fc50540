//! Backups of room keys.

use std::collections::VecDeque;

use banyan_proto::users::{KeyBackup, KeyBackupNewest, RoomKey, RoomKeyName, RoomKeyRow};
use banyan_store::{KeyPart, Range, key};

use super::{UserReader, decode, text};
use crate::{
    ReadError,
    key_backup::{BUCKETS, KeyBackupVersion, MAX_ID, MAX_VERSIONS, bucket, column},
    tables::{KEY_BACKUP, KEY_BACKUP_NEWEST, ROOM_KEY, ROOM_KEY_COUNT},
};

/// Keys per partition that are read at once.
const PAGE: usize = 64;

/// Keys of a backup in the order of their rooms and sessions, read page by page as they are taken.
#[derive(Debug)]
pub struct RoomKeys {
    reader: UserReader,
    user_id: String,
    version: u64,
    partitions: Vec<Partition>,
}

/// What was read of a partition and not taken yet, and what is to be read then.
#[derive(Debug)]
struct Partition {
    bucket: i64,
    read: VecDeque<RoomKey>,
    rest: Option<Range>,
}

impl UserReader {
    /// A version of a user's backup; `None` if there is none or it is gone.
    pub async fn key_backup(&self, user_id: &str, version: u64) -> Result<Option<KeyBackupVersion>, ReadError> {
        let backup: Option<KeyBackup> = self.get(&KEY_BACKUP, key![user_id], key![column(version)]).await?;
        let Some(KeyBackup { algorithm, auth_data }) = backup else { return Ok(None) };
        let count = self.get(&ROOM_KEY_COUNT, key![user_id], key![column(version)]).await?.unwrap_or_default();
        Ok(Some(KeyBackupVersion { version, algorithm, auth_data, count }))
    }

    /// The current version of a user's backup: the newest that is there.
    pub async fn current_key_backup(&self, user_id: &str) -> Result<Option<KeyBackupVersion>, ReadError> {
        match self.key_backup_versions(user_id).await?.first() {
            Some(version) => self.key_backup(user_id, *version).await,
            None => Ok(None),
        }
    }

    /// The versions of a user's backup that are there, the newest first.
    pub async fn key_backup_versions(&self, user_id: &str) -> Result<Vec<u64>, ReadError> {
        let rows = self.store.scan(&KEY_BACKUP, &key![user_id], Range::all(MAX_VERSIONS).reversed()).await?.rows;
        let version = |row: &banyan_store::Row| row.clustering.first().and_then(KeyPart::as_int);
        Ok(rows.iter().filter_map(version).filter_map(|version| u64::try_from(version).ok()).collect())
    }

    /// The last version that was made, which may be gone; 0 if there never was one.
    pub async fn newest_key_backup(&self, user_id: &str) -> Result<u64, ReadError> {
        let newest: Option<KeyBackupNewest> = self.get(&KEY_BACKUP_NEWEST, key![user_id], key![]).await?;
        Ok(newest.map_or(0, |newest| newest.version))
    }

    /// A key in a backup.
    pub async fn room_key(&self, user_id: &str, version: u64, name: &RoomKeyName) -> Result<Option<RoomKeyRow>, ReadError> {
        // No key is stored under such a name, and it may be too long to be asked for.
        if name.room_id.len().max(name.session_id.len()) > MAX_ID {
            return Ok(None);
        }
        let clustering = key![name.room_id.as_str(), name.session_id.as_str()];
        self.get(&ROOM_KEY, key![user_id, column(version), bucket(name)], clustering).await
    }

    /// Keys in a backup by their names, at most 10,000.
    pub async fn room_keys_named(
        &self,
        user_id: &str,
        version: u64,
        names: impl Iterator<Item = &RoomKeyName>,
    ) -> Result<Vec<Option<RoomKeyRow>>, ReadError> {
        let place = |name: &RoomKeyName| {
            let clustering = key![name.room_id.as_str(), name.session_id.as_str()];
            (key![user_id, column(version), bucket(name)], clustering)
        };
        let places: Vec<_> = names.map(place).collect();
        let rows = self.store.multi_get(&ROOM_KEY, &places).await?;
        rows.into_iter().map(|row| row.map(|row| decode(&ROOM_KEY, row.value)).transpose()).collect()
    }

    /// The keys in a backup, of all rooms or of one.
    #[must_use]
    pub fn room_keys(&self, user_id: &str, version: u64, room_id: Option<&str>) -> RoomKeys {
        let range = room_id.map_or_else(|| Range::all(PAGE), |room_id| Range::prefix(key![room_id], PAGE));
        let nothing = room_id.is_some_and(|room_id| room_id.len() > MAX_ID);
        let rest = || Some(range.clone()).filter(|_| !nothing);
        let partition = |bucket| Partition { bucket, read: VecDeque::new(), rest: rest() };
        let partitions = (0..BUCKETS).map(partition).collect();
        RoomKeys { reader: self.clone(), user_id: user_id.to_owned(), version, partitions }
    }
}

impl RoomKeys {
    /// The next key; `None` after the last one.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<RoomKey>, ReadError> {
        for partition in &mut self.partitions {
            partition.fill(&self.reader, &self.user_id, self.version).await?;
        }
        let first = self.partitions.iter_mut().filter(|partition| !partition.read.is_empty());
        Ok(first.min_by(|a, b| place(&a.read).cmp(&place(&b.read))).and_then(|partition| partition.read.pop_front()))
    }
}

/// Where the first key of some stands in the order.
fn place(keys: &VecDeque<RoomKey>) -> Option<(&str, &str)> {
    let name = keys.front()?.name.as_ref()?;
    Some((&name.room_id, &name.session_id))
}

impl Partition {
    /// Reads on if all that was read is taken.
    async fn fill(&mut self, reader: &UserReader, user_id: &str, version: u64) -> Result<(), ReadError> {
        if !self.read.is_empty() {
            return Ok(());
        }
        let Some(range) = self.rest.take() else { return Ok(()) };
        let page = reader.store.scan(&ROOM_KEY, &key![user_id, column(version), self.bucket], range.clone()).await?;
        let last = page.rows.last().filter(|_| page.more).map(|row| row.clustering.clone());
        for row in page.rows {
            let name =
                RoomKeyName { room_id: text(&ROOM_KEY, &row.clustering, 0)?, session_id: text(&ROOM_KEY, &row.clustering, 1)? };
            self.read.push_back(RoomKey { name: Some(name), key: Some(decode(&ROOM_KEY, row.value)?) });
        }
        self.rest = last.map(|last| range.after(last));
        Ok(())
    }
}
