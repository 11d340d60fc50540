//! Backups of room keys (specification: Client-Server API, "Server-side key backups").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{RoomKey, RoomKeyName, RoomKeyRow},
    userserver::{
        CreateKeyBackupRequest, DeleteKeyBackupRequest, DeleteRoomKeysRequest, NewRoomKey, PutRoomKeysRequest, RoomKeysResponse,
        UpdateKeyBackupRequest,
    },
};
use banyan_users::{
    RoomKeys,
    key_backup::{KeyBackupVersion, parse_version, unknown_version},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Map, Value};

use super::{App, Requester};
use crate::calls::UserClient;

/// Bytes of an answer that are made at once.
const PIECE: usize = 64 << 10;

impl App {
    /// The current version of the caller's backup.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn current_key_backup(&self, requester: &Requester) -> Result<KeyBackupVersion, ServiceError> {
        let current = self.users.current_key_backup(requester.user_id.as_str()).await?;
        current.ok_or_else(|| ServiceError::not_found("No current backup version"))
    }

    /// A version of the caller's backup.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn key_backup(&self, requester: &Requester, version: &str) -> Result<KeyBackupVersion, ServiceError> {
        let version = parse_version(version).ok_or_else(unknown_version)?;
        self.users.key_backup(requester.user_id.as_str(), version).await?.ok_or_else(unknown_version)
    }

    /// Makes a version; answers its name.
    ///
    /// # Errors
    /// M_TOO_LARGE.
    pub(crate) async fn create_key_backup(
        &self,
        requester: &Requester,
        algorithm: String,
        auth_data: &Map<String, Value>,
    ) -> Result<String, ServiceError> {
        let request = CreateKeyBackupRequest { caller: Some(requester.to_users()), algorithm, auth_data: json(auth_data) };
        let call = |mut client: UserClient, request| async move { client.create_key_backup(request).await };
        Ok(self.commands.user(requester.user_id.as_str(), request, call).await?.version)
    }

    /// Replaces the `auth_data` of a version.
    ///
    /// # Errors
    /// M_NOT_FOUND, M_INVALID_PARAM for another algorithm, M_TOO_LARGE.
    pub(crate) async fn update_key_backup(
        &self,
        requester: &Requester,
        version: String,
        algorithm: String,
        auth_data: &Map<String, Value>,
    ) -> Result<(), ServiceError> {
        let request = UpdateKeyBackupRequest { caller: Some(requester.to_users()), version, algorithm, auth_data: json(auth_data) };
        let call = |mut client: UserClient, request| async move { client.update_key_backup(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(drop)
    }

    /// Deletes a version with its keys.
    ///
    /// # Errors
    /// M_NOT_FOUND for a version that never was.
    pub(crate) async fn delete_key_backup(&self, requester: &Requester, version: String) -> Result<(), ServiceError> {
        let request = DeleteKeyBackupRequest { caller: Some(requester.to_users()), version };
        let call = |mut client: UserClient, request| async move { client.delete_key_backup(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(drop)
    }

    /// Stores keys in the current version.
    ///
    /// # Errors
    /// M_NOT_FOUND, M_WRONG_ROOM_KEYS_VERSION, M_TOO_LARGE, M_INVALID_PARAM for an id that is none.
    pub(crate) async fn put_room_keys(
        &self,
        requester: &Requester,
        version: String,
        keys: Vec<NewRoomKey>,
    ) -> Result<RoomKeysResponse, ServiceError> {
        let request = PutRoomKeysRequest { caller: Some(requester.to_users()), version, keys };
        let call = |mut client: UserClient, request| async move { client.put_room_keys(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await
    }

    /// Removes keys of a version: of all rooms, of one, or of one session of it.
    ///
    /// # Errors
    /// M_NOT_FOUND.
    pub(crate) async fn delete_room_keys(
        &self,
        requester: &Requester,
        version: String,
        room_id: String,
        session_id: String,
    ) -> Result<RoomKeysResponse, ServiceError> {
        let request = DeleteRoomKeysRequest { caller: Some(requester.to_users()), version, room_id, session_id };
        let call = |mut client: UserClient, request| async move { client.delete_room_keys(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await
    }

    /// A key in a version of the caller's backup.
    ///
    /// # Errors
    /// M_NOT_FOUND for the version or the key.
    pub(crate) async fn room_key(
        &self,
        requester: &Requester,
        version: &str,
        room_id: String,
        session_id: String,
    ) -> Result<RoomKeyRow, ServiceError> {
        let KeyBackupVersion { version, .. } = self.key_backup(requester, version).await?;
        let key = self.users.room_key(requester.user_id.as_str(), version, &RoomKeyName { room_id, session_id }).await?;
        key.ok_or_else(|| ServiceError::not_found("Key not found"))
    }

    /// The keys of a version of the caller's backup as JSON, of all rooms or of one, piece by piece as they are read.
    ///
    /// # Errors
    /// M_NOT_FOUND for the version, and what goes wrong before the first piece.
    pub(crate) async fn room_keys(
        &self,
        requester: &Requester,
        version: &str,
        room_id: Option<&str>,
    ) -> Result<impl Stream<Item = Result<Bytes, ServiceError>> + Send + use<>, ServiceError> {
        let KeyBackupVersion { version, .. } = self.key_backup(requester, version).await?;
        let keys = self.users.room_keys(requester.user_id.as_str(), version, room_id);
        let mut answer = Answer { keys, of_room: room_id.is_some(), room: None, begun: false, ended: false };
        let first = answer.piece().await?;
        let rest = stream::try_unfold(answer, |mut answer| async move { Ok(answer.piece().await?.map(|piece| (piece, answer))) });
        Ok(stream::iter(first.map(Ok)).chain(rest))
    }
}

fn json(object: &Map<String, Value>) -> Bytes {
    serde_json::to_vec(object).unwrap_or_default().into()
}

/// An answer that is being made.
struct Answer {
    keys: RoomKeys,
    of_room: bool,
    /// The room whose sessions are being told.
    room: Option<String>,
    begun: bool,
    ended: bool,
}

impl Answer {
    /// The next piece; `None` after the last one.
    async fn piece(&mut self) -> Result<Option<Bytes>, ServiceError> {
        if self.ended {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(PIECE);
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(if self.of_room { b"{\"sessions\":{" } else { b"{\"rooms\":{" });
        }
        while out.len() < PIECE {
            match self.keys.next().await? {
                Some(RoomKey { name: Some(name), key: Some(key) }) => self.tell(name, &key, &mut out),
                Some(_) => {}
                None => {
                    self.ended = true;
                    let in_room = !self.of_room && self.room.is_some();
                    out.extend_from_slice(if in_room { b"}}}}" } else { b"}}" });
                    break;
                }
            }
        }
        Ok(Some(out.into()))
    }

    fn tell(&mut self, name: RoomKeyName, key: &RoomKeyRow, out: &mut Vec<u8>) {
        let same_room = self.room.as_ref() == Some(&name.room_id);
        match (&self.room, self.of_room) {
            (None, true) => {}
            (None, false) => open_room(&name.room_id, out),
            (Some(_), false) if !same_room => {
                out.extend_from_slice(b"}},");
                open_room(&name.room_id, out);
            }
            (Some(_), _) => out.push(b','),
        }
        self.room = Some(name.room_id);
        text(&name.session_id, out);
        out.push(b':');
        key_json(key, out);
    }
}

fn open_room(room_id: &str, out: &mut Vec<u8>) {
    text(room_id, out);
    out.extend_from_slice(b":{\"sessions\":{");
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(Value::from(text).to_string().as_bytes());
}

/// A key as it is shown. Its `session_data` is JSON already.
pub(crate) fn key_json(key: &RoomKeyRow, out: &mut Vec<u8>) {
    let head = format!(
        "{{\"first_message_index\":{},\"forwarded_count\":{},\"is_verified\":{},\"session_data\":",
        key.first_message_index, key.forwarded_count, key.is_verified
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&key.session_data);
    out.push(b'}');
}
