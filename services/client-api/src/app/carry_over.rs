//! What a user has set for a room holds for the room that replaces it, once they join that (client-server specification, "Room
//! Upgrades").

use banyan_core::ServiceError;
use banyan_proto::userserver::{PutPushRule, change_push_rule_request::Change};
use banyan_rooms::reader::At;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::json;

use super::{App, Requester};

/// Account data of a room that is taken along.
const TAKEN_ALONG: &str = "m.tag";
/// The step of a request that takes a push rule along.
const STEP: u64 = 1 << 33;

#[derive(Deserialize)]
struct Create {
    predecessor: Option<Predecessor>,
}

#[derive(Deserialize)]
struct Predecessor {
    room_id: OwnedRoomId,
}

impl App {
    /// Takes along what the caller has set for the room that `room_id` replaces, unless they have set something for it already. They
    /// have joined whatever comes of it.
    pub(crate) async fn carry_over(&self, requester: &Requester, room_id: &RoomId) {
        if let Err(error) = self.try_carry_over(requester, room_id).await {
            tracing::warn!(%room_id, %error, "what a user has set for a room was not taken along to its replacement");
        }
    }

    async fn try_carry_over(&self, requester: &Requester, room_id: &RoomId) -> Result<(), ServiceError> {
        let Some(from) = self.predecessor(room_id).await? else { return Ok(()) };
        self.carry_over_data(requester, &from, room_id).await?;
        self.carry_over_push_rule(requester, &from, room_id).await
    }

    async fn carry_over_data(&self, requester: &Requester, from: &RoomId, room_id: &RoomId) -> Result<(), ServiceError> {
        let user_id = &requester.user_id;
        let data = |room_id: OwnedRoomId| async move {
            self.users.account_data(user_id.as_str(), Some(room_id.as_str()), TAKEN_ALONG).await
        };
        let Some(old) = data(from.to_owned()).await? else { return Ok(()) };
        if data(room_id.to_owned()).await?.is_some() {
            return Ok(());
        }
        self.set_account_data(requester, user_id, Some(room_id), TAKEN_ALONG, old.content).await
    }

    /// The rule that says how loud the room is.
    async fn carry_over_push_rule(&self, requester: &Requester, from: &RoomId, room_id: &RoomId) -> Result<(), ServiceError> {
        let rules = self.push_rules(requester).await?;
        let of_room = |room_id: &RoomId| {
            let rules = rules["global"]["room"].as_array()?;
            rules.iter().find(|rule| rule["rule_id"] == room_id.as_str())
        };
        let Some(old) = of_room(from).filter(|rule| rule["enabled"] == true) else { return Ok(()) };
        if of_room(room_id).is_some() {
            return Ok(());
        }
        let rule = json!({ "actions": old["actions"] }).to_string().into();
        let put = PutPushRule { rule, ..PutPushRule::default() };
        // The request itself has an id that the owner may have seen: this is a step of its own.
        let mut requester = requester.clone();
        requester.visitor.request_id = requester.visitor.sub_request(STEP);
        self.change_push_rule(&requester, "room".to_owned(), room_id.to_string(), Change::Put(put)).await
    }

    /// The room that a room replaces, if that has a tombstone that says so too.
    async fn predecessor(&self, room_id: &RoomId) -> Result<Option<OwnedRoomId>, ServiceError> {
        let create = self.rooms.state_event(room_id, "m.room.create", "", &At::Now).await?;
        let create: Option<Create> = create.and_then(|event| serde_json::from_str(&event.content()).ok());
        let Some(from) = create.and_then(|create| create.predecessor).map(|predecessor| predecessor.room_id) else {
            return Ok(None);
        };
        let tombstone = self.rooms.state_event(&from, "m.room.tombstone", "", &At::Now).await?;
        let content = tombstone.map(|event| event.content()).unwrap_or_default();
        let content: serde_json::Value = serde_json::from_str(&content).unwrap_or_default();
        Ok(Some(from).filter(|_| content["replacement_room"] == room_id.as_str()))
    }
}
