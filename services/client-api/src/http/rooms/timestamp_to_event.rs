//! GET `/rooms/{roomId}/timestamp_to_event`.

use axum::{Json, extract::State};
use banyan_http::{Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

use super::direction;

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    /// Milliseconds since the Unix epoch.
    ts: i64,
    dir: String,
}

/// The event nearest to a time.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(Params { ts, dir }): Query<Params>,
) -> Reply {
    let found = app.event_by_time(&requester, &room_id, ts, direction(&dir)?).await?;
    Ok(Json(json!({ "event_id": found.event_id, "origin_server_ts": found.ts })))
}
