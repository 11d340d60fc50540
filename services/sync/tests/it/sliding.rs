//! Asks for sliding syncs.

use std::time::Duration;

use banyan_sync::{
    error::SyncError,
    sliding::{Form, Request},
};
use bytes::Bytes;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde_json::{Value, json};

use crate::world::{Worker, World, collect, ids};

/// A request by `user` on device `D`.
pub(crate) fn ask(user: &str, pos: Option<&str>, body: &Value) -> Request {
    Request {
        user: OwnedUserId::try_from(user).unwrap(),
        device: OwnedDeviceId::from("D"),
        pos: pos.map(str::to_owned),
        timeout: Duration::ZERO,
        token_hash: Bytes::from_static(b"hash"),
        body: body.to_string().into(),
        form: Form::Unstable,
    }
}

/// One list `a` over a range, with a timeline and state.
pub(crate) fn list(range: [u64; 2], limit: u64, state: &[[&str; 2]]) -> Value {
    json!({"lists": {"a": {"ranges": [range], "timeline_limit": limit, "required_state": state}}})
}

/// One list `a` of all rooms with filters.
pub(crate) fn filtered(filters: &Value) -> Value {
    json!({"lists": {"a": {"timeline_limit": 1, "filters": filters}}})
}

/// One subscription.
pub(crate) fn subscription(room: &str, limit: u64, state: &[[&str; 2]]) -> Value {
    json!({"room_subscriptions": {room: {"timeline_limit": limit, "required_state": state}}})
}

impl Worker {
    /// The answer of what this worker has taken in.
    pub(crate) async fn answer(&self, request: Request) -> Result<Value, SyncError> {
        collect(async |sink| self.sliding.sync(request, sink).await).await
    }

    /// Takes in everything, then answers.
    pub(crate) async fn slide(&mut self, world: &World, request: Request) -> Value {
        self.catch_up(world);
        self.answer(request).await.unwrap()
    }
}

pub(crate) fn pos(body: &Value) -> &str {
    body["pos"].as_str().unwrap()
}

/// Ids of the rooms of a response.
pub(crate) fn rooms(body: &Value) -> Vec<&str> {
    body["rooms"].as_object().unwrap().keys().map(String::as_str).collect()
}

pub(crate) fn shown<'a>(body: &'a Value, room: &str) -> Vec<&'a str> {
    ids(&body["rooms"][room]["timeline"])
}

/// Types and keys of the required state.
pub(crate) fn keys(body: &Value, room: &str) -> Vec<(String, String)> {
    let events = body["rooms"][room]["required_state"].as_array().into_iter().flatten();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let mut keys: Vec<_> = events.map(|event| (text(event, "type"), text(event, "state_key"))).collect();
    keys.sort();
    keys
}

/// State keys of the members in the required state.
pub(crate) fn members(body: &Value, room: &str) -> Vec<String> {
    keys(body, room).into_iter().filter(|(kind, _)| kind == "m.room.member").map(|(_, member)| member).collect()
}
