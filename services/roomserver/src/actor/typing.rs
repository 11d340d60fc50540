//! Who types in the rooms of a shard: kept in memory alone, and told over the bus to whoever answers syncs.

use std::collections::{BTreeMap, HashMap};

use banyan_bus::Message as BusMessage;
use banyan_proto::{
    rooms::RoomEntry,
    roomserver::{GetTypingResponse, TypingNews, TypingSet, TypingUser},
};
use prost::Message as _;
use ruma::{OwnedRoomId, RoomId};
use tokio::sync::Mutex;

use super::shard::Shard;

/// Users who type in one room at a time; more are not told of.
const MAX_USERS: usize = 200;
/// Users who type in the rooms of a shard; before there are more, those who do no longer are dropped.
const MAX_IN_SHARD: usize = 20_000;

/// Who types where, until when (milliseconds).
type Users = BTreeMap<String, i64>;

/// All who type.
#[derive(Default)]
pub(crate) struct TypingRooms(Mutex<Told>);

#[derive(Default)]
struct Told {
    rooms: HashMap<OwnedRoomId, Users>,
    /// Of the last news: who hears each one has heard all.
    number: u64,
}

impl Told {
    /// Whether one more may type.
    fn has_place(&mut self, now: i64) -> bool {
        let count = |rooms: &HashMap<OwnedRoomId, Users>| rooms.values().map(BTreeMap::len).sum::<usize>();
        // Every room has somebody: while there are few rooms nothing is counted.
        if self.rooms.len() < MAX_IN_SHARD / MAX_USERS || count(&self.rooms) < MAX_IN_SHARD {
            return true;
        }
        self.rooms.retain(|_, users| {
            users.retain(|_, until| *until > now);
            !users.is_empty()
        });
        count(&self.rooms) < MAX_IN_SHARD
    }
}

impl Shard {
    /// Notes until when a user types (`None`: they stopped), and tells who types in the room now.
    pub(crate) async fn type_until(&self, room_id: &RoomId, user_id: &str, until: Option<i64>) {
        let now = self.shared.clock.now().as_millis();
        // Held until it is told: what is told last is what is true last.
        let mut told = self.typing.0.lock().await;
        if until.is_some() && !told.has_place(now) {
            return;
        }
        let users = told.rooms.entry(room_id.to_owned()).or_default();
        users.retain(|_, until| *until > now);
        match until {
            Some(until) if users.len() < MAX_USERS || users.contains_key(user_id) => drop(users.insert(user_id.to_owned(), until)),
            Some(_) => {}
            None => drop(users.remove(user_id)),
        }
        self.tell_typing(&mut told, room_id).await;
    }

    /// Those who leave a room do not type there any more.
    pub(super) async fn stop_typing(&self, leaving: &[(OwnedRoomId, String)]) {
        if leaving.is_empty() {
            return;
        }
        let mut told = self.typing.0.lock().await;
        for (room_id, user_id) in leaving {
            if told.rooms.get_mut(room_id).is_some_and(|users| users.remove(user_id).is_some()) {
                self.tell_typing(&mut told, room_id).await;
            }
        }
    }

    /// Tells that a new owner begins, who knows of nobody that they type.
    pub(crate) async fn begin_typing(&self) {
        let _told = self.typing.0.lock().await;
        self.publish_typing(0, None).await;
    }

    /// All who type.
    pub(crate) async fn who_types(&self) -> GetTypingResponse {
        let now = self.shared.clock.now().as_millis();
        let told = self.typing.0.lock().await;
        let sets = told.rooms.iter().map(|(room_id, users)| set(room_id, users, now)).filter(|set| !set.users.is_empty());
        GetTypingResponse { epoch: self.log.epoch().0, number: told.number, sets: sets.collect() }
    }

    async fn tell_typing(&self, told: &mut Told, room_id: &RoomId) {
        let now = self.shared.clock.now().as_millis();
        let users = told.rooms.get(room_id);
        let set = users.map_or_else(|| set(room_id, &Users::new(), now), |users| set(room_id, users, now));
        if set.users.is_empty() {
            told.rooms.remove(room_id);
        }
        told.number += 1;
        self.publish_typing(told.number, Some(set)).await;
    }

    async fn publish_typing(&self, number: u64, set: Option<TypingSet>) {
        let subject = format!("ty.{}", self.log.id().shard.0);
        let news = TypingNews { epoch: self.log.epoch().0, number, set };
        let message = BusMessage { subject, headers: Vec::new(), payload: news.encode_to_vec().into() };
        if let Err(error) = self.shared.bus.publish(message).await {
            tracing::debug!(%error, "who types was not told");
        }
    }
}

fn set(room_id: &RoomId, users: &Users, now: i64) -> TypingSet {
    let users = users.iter().filter(|(_, until)| **until > now);
    let users = users.map(|(user_id, until)| TypingUser { user_id: user_id.clone(), until: *until }).collect();
    TypingSet { room_id: room_id.to_string(), users }
}

/// Room and user of each membership that ends by these entries.
pub(super) fn leaving(entries: &[RoomEntry]) -> Vec<(OwnedRoomId, String)> {
    let changes = entries.iter().flat_map(|entry| entry.current.iter().map(|change| (entry.room_id.as_str(), change)));
    let ended = changes.filter(|(_, change)| change.r#type == "m.room.member" && change.membership != "join");
    ended.filter_map(|(room, change)| Some((RoomId::parse(room).ok()?, change.state_key.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_is_full_has_place_again_when_some_have_typed_long_enough() {
        let mut told = Told::default();
        for room in 0..MAX_IN_SHARD / MAX_USERS {
            assert!(told.has_place(5));
            let users = (0..MAX_USERS).map(|user| (format!("@{user}:x"), if user == 0 { 10 } else { 20 })).collect();
            told.rooms.insert(RoomId::parse(format!("!{room}:x")).unwrap(), users);
        }
        assert!(!told.has_place(9));
        assert!(told.has_place(10));
        assert!(told.rooms.values().all(|users| users.len() == MAX_USERS - 1));
        assert!(told.has_place(20) && told.rooms.len() == MAX_IN_SHARD / MAX_USERS, "few enough are not looked through");
        for users in told.rooms.values_mut() {
            users.insert("@more:x".to_owned(), 20);
        }
        assert!(told.has_place(20) && told.rooms.is_empty());
    }
}
