//! GET `/rooms/{roomId}/initialSync`.

use axum::extract::State;
use banyan_http::{Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{
        App,
        initial_sync::{RoomContent, RoomSnapshot},
    },
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

/// The query. The specification names no limit; clients send one all the same.
#[derive(Deserialize)]
pub(crate) struct Params {
    limit: Option<usize>,
}

/// A room with its last messages and its state.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    let snapshot = app.room_initial_sync(&requester, &room_id, params.limit).await?;
    Ok(JsonText(body(&snapshot)))
}

/// The specification's `RoomInfo`.
pub(crate) fn body(room: &RoomSnapshot) -> Vec<u8> {
    let text = |text: &str| Value::from(text).to_string();
    let visibility = if room.published { "public" } else { "private" };
    let mut out = format!("{{\"room_id\":{},\"visibility\":\"{visibility}\"", text(room.room_id.as_str())).into_bytes();
    if let Some(membership) = room.membership {
        out.extend(format!(",\"membership\":\"{membership}\"").into_bytes());
    }
    match &room.content {
        RoomContent::Invite(invite) => out.extend([b",\"invite\":", invite.as_slice()].concat()),
        RoomContent::Timeline { start, end, chunk, state, account_data } => {
            let start = start.as_ref().map(|start| format!("\"start\":{},", text(start))).unwrap_or_default();
            out.extend(format!(",\"messages\":{{{start}\"end\":{},\"chunk\":", text(end)).into_bytes());
            out.extend([&list(chunk)[..], b"},\"state\":", &list(state), b",\"account_data\":", &list(account_data)].concat());
        }
    }
    out.push(b'}');
    out
}
