//! Who in a room may be notified otherwise than everybody: local members with rules of their own, or who ignore people.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use banyan_core::ServiceError;
use banyan_rooms::reader::RoomReader;
use banyan_tenants::Tenants;
use banyan_users::UserReader;
use moka::sync::Cache;
use parking_lot::Mutex;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use tokio::sync::RwLock;

use super::rules::OwnRules;

/// Users whose rules stay in memory, and rooms.
const USERS: u64 = 20_000;
const ROOMS: u64 = 10_000;
/// Users whose rules are read at once.
const PER_READ: usize = 1_000;

/// Those of a room. Who is not in the room any more may still be among them.
pub(super) type Audience = Arc<Mutex<BTreeSet<OwnedUserId>>>;

/// What is known of users and rooms, kept true by [`super::watch`].
pub(super) struct Audiences {
    pub(super) reader: RoomReader,
    users: UserReader,
    tenants: Tenants,
    /// `None`: the user has the default rules.
    rules: Cache<OwnedUserId, Option<Arc<OwnRules>>>,
    rooms: Cache<OwnedRoomId, Audience>,
    /// Held for reading while something is read from the store and remembered, so that a change is not hidden by what was before.
    gate: RwLock<()>,
}

impl Audiences {
    pub(super) fn new(reader: RoomReader, users: UserReader, tenants: Tenants) -> Self {
        Self { reader, users, tenants, rules: Cache::new(USERS), rooms: Cache::new(ROOMS), gate: RwLock::default() }
    }

    /// Whether a user is of this installation.
    pub(super) fn is_local(&self, user_id: &UserId) -> bool {
        self.tenants.is_local(user_id.server_name().as_str())
    }

    /// Those of a room.
    pub(super) async fn of(&self, room_id: &RoomId) -> Result<Audience, ServiceError> {
        if let Some(audience) = self.rooms.get(room_id) {
            return Ok(audience);
        }
        let _gate = self.gate.read().await;
        let members = self.reader.joined_members(room_id).await?;
        let local: Vec<OwnedUserId> = members.into_iter().map(|(user_id, _)| user_id).filter(|user| self.is_local(user)).collect();
        let mut own = BTreeSet::new();
        for some in local.chunks(PER_READ) {
            let rules = self.read(some).await?;
            own.extend(some.iter().filter(|user_id| rules.contains_key(*user_id)).cloned());
        }
        let audience = Audience::new(Mutex::new(own));
        self.rooms.insert(room_id.to_owned(), audience.clone());
        Ok(audience)
    }

    /// The rules of those of these users who have some of their own.
    pub(super) async fn rules_of(&self, users: &[OwnedUserId]) -> Result<BTreeMap<OwnedUserId, Arc<OwnRules>>, ServiceError> {
        let _gate = self.gate.read().await;
        self.read(users).await
    }

    /// The caller holds the gate.
    async fn read(&self, users: &[OwnedUserId]) -> Result<BTreeMap<OwnedUserId, Arc<OwnRules>>, ServiceError> {
        let mut found = BTreeMap::new();
        let mut unknown = Vec::new();
        for user_id in users {
            match self.rules.get(user_id) {
                Some(rules) => found.extend(rules.map(|rules| (user_id.clone(), rules))),
                None => unknown.push(user_id),
            }
        }
        for some in unknown.chunks(PER_READ) {
            let ids: Vec<&str> = some.iter().map(|user_id| user_id.as_str()).collect();
            let stored = self.users.notifying(&ids).await.map_err(ServiceError::from)?;
            for (user_id, stored) in some.iter().zip(stored) {
                let rules = OwnRules::new(user_id.as_str(), &stored).map(Arc::new);
                self.rules.insert((*user_id).clone(), rules.clone());
                found.extend(rules.map(|rules| ((*user_id).clone(), rules)));
            }
        }
        Ok(found)
    }

    /// A user came into a room.
    pub(super) async fn joined(&self, room_id: &RoomId, user_id: &UserId) -> Result<(), ServiceError> {
        let own = self.rules_of(&[user_id.to_owned()]).await?;
        if let Some(audience) = self.rooms.get(room_id)
            && !own.is_empty()
        {
            audience.lock().insert(user_id.to_owned());
        }
        Ok(())
    }

    /// A user is not in a room any more.
    pub(super) fn left(&self, room_id: &RoomId, user_id: &UserId) {
        if let Some(audience) = self.rooms.get(room_id) {
            audience.lock().remove(user_id);
        }
    }

    /// More changed in a room than can be told.
    pub(super) fn forget_room(&self, room_id: &RoomId) {
        self.rooms.invalidate(room_id);
    }

    /// A user has other rules.
    pub(super) async fn changed(&self, user_id: &UserId) {
        let _gate = self.gate.write().await;
        self.rules.invalidate(user_id);
        match self.reader.joined_rooms(user_id).await {
            Ok(rooms) => {
                for audience in rooms.iter().filter_map(|room_id| self.rooms.get(room_id)) {
                    audience.lock().insert(user_id.to_owned());
                }
            }
            Err(error) => {
                tracing::warn!(%user_id, %error, "the rooms of a user with other push rules cannot be read; all are read anew");
                self.rooms.invalidate_all();
            }
        }
    }

    /// Changes may have been missed.
    pub(super) async fn forget_all(&self) {
        let _gate = self.gate.write().await;
        self.rules.invalidate_all();
        self.rooms.invalidate_all();
    }
}
