//! GET `/rooms/{roomId}/relations/{eventId}` and below.

use axum::extract::State;
use banyan_http::{MatrixError, Path, Query};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{
        App, Requester,
        relations::{MAX_DEPTH, RelationsPage, RelationsWish},
    },
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

use super::direction;

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    dir: Option<String>,
    recurse: Option<bool>,
}

/// Whatever relates to an event.
pub(crate) async fn all(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    answer(&app, &requester, (room_id, event_id), (None, None), params).await
}

/// What relates to it in some way.
pub(crate) async fn of_rel_type(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id, rel_type)): Path<(OwnedRoomId, OwnedEventId, String)>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    answer(&app, &requester, (room_id, event_id), (Some(rel_type), None), params).await
}

/// What relates to it in some way and is of some type.
pub(crate) async fn of_event_type(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id, rel_type, event_type)): Path<(OwnedRoomId, OwnedEventId, String, String)>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    answer(&app, &requester, (room_id, event_id), (Some(rel_type), Some(event_type)), params).await
}

async fn answer(
    app: &App,
    requester: &Requester,
    (room_id, event_id): (OwnedRoomId, OwnedEventId),
    (rel_type, event_type): (Option<String>, Option<String>),
    params: Params,
) -> Reply<JsonText> {
    let direction = direction(params.dir.as_deref().unwrap_or("b"))?;
    let Params { from, to, limit, recurse, .. } = params;
    let wish = RelationsWish { rel_type, event_type, from, to, direction, limit, recurse: recurse.unwrap_or_default() };
    let page = app.relations(requester, &room_id, &event_id, wish).await?;
    Ok::<_, MatrixError>(JsonText(body(&page, recurse.is_some())))
}

fn body(page: &RelationsPage, says_depth: bool) -> Vec<u8> {
    let mut out = b"{\"chunk\":".to_vec();
    out.extend(list(&page.chunk));
    for (name, token) in [("next_batch", &page.next_batch), ("prev_batch", &page.prev_batch)] {
        if let Some(token) = token {
            out.extend(format!(",\"{name}\":{}", Value::from(token.as_str())).into_bytes());
        }
    }
    if says_depth {
        out.extend(format!(",\"recursion_depth\":{MAX_DEPTH}").into_bytes());
    }
    out.push(b'}');
    out
}
