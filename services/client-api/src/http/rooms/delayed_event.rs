//! PUT `/rooms/{roomId}/delayed_event/{eventType}/{txnId}` (MSC4140).

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Path};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::{App, delayed_events::Delayed},
    http::{delayed_events::positive, extract::Caller, reply::Reply},
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    delay: u64,
    state_key: Option<String>,
    content: Map<String, Value>,
}

/// Schedules an event.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, kind, txn_id)): Path<(OwnedRoomId, String, String)>,
    Body(wish): Body<Wish>,
) -> Reply {
    let delay = positive(wish.delay)?;
    let transaction = Delayed::transaction(&requester, &room_id, &kind, &txn_id);
    let content = Value::Object(wish.content).to_string().into_bytes().into();
    let event = Delayed { room_id, kind, state_key: wish.state_key, content, delay, transaction };
    Ok(Json(json!({ "delay_id": app.schedule(&requester, event).await? })))
}
