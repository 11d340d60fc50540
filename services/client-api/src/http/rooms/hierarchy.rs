//! GET `/rooms/{roomId}/hierarchy`.

use axum::{Json, extract::State};
use banyan_http::{Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::{
        App,
        hierarchy::{HierarchyWish, SpaceRoom},
    },
    http::{extract::Caller, reply::Reply, summaries::summary},
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    suggested_only: bool,
    limit: Option<usize>,
    max_depth: Option<usize>,
    from: Option<String>,
}

/// A page of the rooms below a space.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Reply {
    let Params { suggested_only, limit, max_depth, from } = params;
    let page = app.hierarchy(&requester, &room_id, HierarchyWish { suggested_only, limit, max_depth, from }).await?;
    let rooms: Vec<Value> = page.rooms.into_iter().map(shown).collect();
    let mut answer = json!({ "rooms": rooms });
    if let Some(next_batch) = page.next_batch {
        answer["next_batch"] = next_batch.into();
    }
    Ok(Json(answer))
}

fn shown(room: SpaceRoom) -> Value {
    let mut shown = summary(&room.room_id, &room.found.summary);
    shown.insert("children_state".to_owned(), room.children_state.into());
    shown.into()
}
