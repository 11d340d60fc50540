//! Backups of room keys as rows.

use banyan_log::DerivedRow;
use banyan_proto::users::{KeyBackupChanged, RoomKeyName, RoomKeysChanged};
use banyan_store::{Key, key};

use super::{delete, put};
use crate::{
    key_backup::{bucket, column},
    tables::{KEY_BACKUP, KEY_BACKUP_NEWEST, ROOM_KEY, ROOM_KEY_COUNT},
};

pub(super) fn changed(user_id: &str, changed: KeyBackupChanged) -> Result<Vec<DerivedRow>, String> {
    let newest = changed.newest.ok_or("a backup without the newest version")?;
    let version = key![column(changed.version)];
    let mut rows = vec![put(&KEY_BACKUP_NEWEST, key![user_id], key![], &newest)];
    match changed.backup {
        Some(backup) => rows.push(put(&KEY_BACKUP, key![user_id], version.clone(), &backup)),
        None => {
            rows.push(delete(&KEY_BACKUP, key![user_id], version.clone()));
            rows.push(delete(&ROOM_KEY_COUNT, key![user_id], version.clone()));
        }
    }
    rows.extend(changed.count.map(|count| put(&ROOM_KEY_COUNT, key![user_id], version, &count)));
    Ok(rows)
}

pub(super) fn keys(user_id: &str, changed: RoomKeysChanged) -> Result<Vec<DerivedRow>, String> {
    let version = changed.version;
    let count = changed.count.ok_or("keys of a backup without their count")?;
    let mut rows = vec![put(&ROOM_KEY_COUNT, key![user_id], key![column(version)], &count)];
    for stored in changed.stored {
        let (name, key) = stored.name.zip(stored.key).ok_or("a key of a backup without its name or data")?;
        rows.push(put(&ROOM_KEY, partition(user_id, version, &name), clustering(&name), &key));
    }
    rows.extend(changed.removed.iter().map(|name| delete(&ROOM_KEY, partition(user_id, version, name), clustering(name))));
    Ok(rows)
}

fn partition(user_id: &str, version: u64, name: &RoomKeyName) -> Key {
    key![user_id, column(version), bucket(name)]
}

fn clustering(name: &RoomKeyName) -> Key {
    key![name.room_id.as_str(), name.session_id.as_str()]
}
