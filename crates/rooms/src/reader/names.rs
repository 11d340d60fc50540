//! Aliases, directories, and what is under way.

use banyan_core::LogId;
use banyan_proto::rooms::{AliasRow, IntentRow};
use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId, ServerName};

use super::RoomReader;
use crate::{
    ReadError,
    tables::{alias_by_room, intent, published_room, room_alias},
};

impl RoomReader {
    /// What an alias means; `None` if it is not taken here.
    ///
    /// # Errors
    /// The store's.
    pub async fn alias(&self, alias: &RoomAliasId) -> Result<Option<AliasRow>, ReadError> {
        room_alias::get(&*self.inner.store, alias).await
    }

    /// The aliases of a room, in order.
    ///
    /// # Errors
    /// The store's.
    pub async fn aliases_of(&self, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>, ReadError> {
        alias_by_room::scan(&*self.inner.store, room_id).await
    }

    /// The intents of a shard that are open: their rooms, names and rows.
    ///
    /// # Errors
    /// The store's.
    pub async fn intents(&self, log: LogId) -> Result<Vec<intent::Intent>, ReadError> {
        intent::scan(&*self.inner.store, log).await
    }

    /// An intent, while it is open.
    ///
    /// # Errors
    /// The store's.
    pub async fn intent(&self, log: LogId, room_id: &RoomId, name: &str) -> Result<Option<IntentRow>, ReadError> {
        intent::get(&*self.inner.store, log, room_id.as_str(), name).await
    }

    /// Whether a tenant's directory lists a room.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_published(&self, tenant: &ServerName, room_id: &RoomId) -> Result<bool, ReadError> {
        Ok(published_room::get(&*self.inner.store, tenant, room_id).await?.is_some())
    }
}
