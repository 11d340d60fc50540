//! `/rooms/{roomId}/state` and below.

use axum::{Json, extract::State};
use banyan_http::{MatrixError, Path, Query, RawObject};
use bytes::Bytes;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::{App, delayed_events::Delayed},
    http::{
        delayed_events::Delay,
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

/// Which state event; the key may be left out where it is the empty string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Name {
    room_id: OwnedRoomId,
    event_type: String,
    #[serde(default)]
    state_key: String,
}

/// The query of GET.
#[derive(Deserialize)]
pub(crate) struct Params {
    format: Option<String>,
}

/// The whole state.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller, Path(room_id): Path<OwnedRoomId>) -> Reply<JsonText> {
    Ok(JsonText(list(&app.state(&requester, &room_id).await?)))
}

/// One state event: its content, or all of it.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(name): Path<Name>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    let whole = match params.format.as_deref() {
        None | Some("content") => false,
        Some("event") => true,
        Some(_) => return Err(MatrixError::invalid_param("format is content or event")),
    };
    let event = app.state_event(&requester, &name.room_id, &name.event_type, &name.state_key).await?;
    Ok(JsonText(if whole { app.render_state(&event, &name.room_id)? } else { event.content().into_bytes() }))
}

/// Sets a state event, at once or (MSC4140) later.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(name): Path<Name>,
    Query(delay): Query<Delay>,
    RawObject(content): RawObject,
) -> Reply {
    if let Some(delay) = delay.given()? {
        let Name { room_id, event_type: kind, state_key } = name;
        let event = Delayed { room_id, kind, state_key: Some(state_key), content, delay, transaction: Bytes::new() };
        return Ok(Json(json!({ "delay_id": app.schedule(&requester, event).await? })));
    }
    let event_id = app.put_state(&requester, &name.room_id, &name.event_type, &name.state_key, content).await?;
    Ok(Json(json!({ "event_id": event_id })))
}
