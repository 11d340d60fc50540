//! GET `/rooms/{roomId}/timestamp_to_event`.

use axum::{Json, extract::State};
use banyan_http::{Path, Query};
use banyan_rooms::reader::Direction;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    /// Milliseconds since the Unix epoch.
    ts: i64,
    dir: Way,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    F,
    B,
}

/// The event nearest to a time.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(Params { ts, dir }): Query<Params>,
) -> Reply {
    let direction = match dir {
        Way::F => Direction::Forward,
        Way::B => Direction::Backward,
    };
    let found = app.event_by_time(&requester, &room_id, ts, direction).await?;
    Ok(Json(json!({ "event_id": found.event_id, "origin_server_ts": found.ts })))
}
