//! GET `/events` and GET `/events/{eventId}`: what clients used before there was `/sync`, and what previews of rooms use.

use axum::extract::State;
use banyan_http::{MatrixError, Path, Query};
use banyan_runtime::Stage;
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    extract::Caller,
    reply::{JsonText, Reply, list},
};
use crate::app::{App, event_stream::EventChunk};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    from: Option<String>,
    room_id: Option<OwnedRoomId>,
    #[serde(default)]
    timeout: u64,
}

/// What happened, in one room if it is named and else in all rooms of the caller. When this process ends, whoever waits is answered with
/// nothing, and their own token.
pub(crate) async fn stream(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(Params { from, room_id, timeout }): Query<Params>,
) -> Reply<JsonText> {
    let own = from.clone();
    let answer = async {
        match &room_id {
            Some(room_id) => app.peek(&requester, room_id, from, timeout).await,
            None => app.event_stream(&requester, from, timeout).await,
        }
    };
    let stopping = app.shutdown.stopping(Stage::Listeners);
    let stopped = async {
        stopping.cancelled().await;
        match own {
            Some(token) => EventChunk { start: token.clone(), end: token, chunk: Vec::new() },
            None => std::future::pending().await,
        }
    };
    let chunk = tokio::select! {
        answer = answer => answer?,
        chunk = stopped => chunk,
    };
    Ok(JsonText(body(&chunk)))
}

/// An event of any room of the caller.
pub(crate) async fn one(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(event_id): Path<OwnedEventId>,
) -> Result<JsonText, MatrixError> {
    Ok(JsonText(app.event_of_any_room(&requester, &event_id).await?))
}

fn body(chunk: &EventChunk) -> Vec<u8> {
    let token = |token: &str| Value::from(token).to_string();
    let head = format!("{{\"start\":{},\"end\":{},\"chunk\":", token(&chunk.start), token(&chunk.end));
    [head.as_bytes(), &list(&chunk.chunk), b"}"].concat()
}
