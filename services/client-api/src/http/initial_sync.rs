//! GET `/initialSync`.

use axum::extract::State;
use banyan_http::Query;
use serde::Deserialize;
use serde_json::Value;

use super::{
    extract::Caller,
    reply::{JsonText, Reply, list},
    rooms::initial_sync::body as room_body,
};
use crate::app::{App, initial_sync::Snapshot};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    limit: Option<usize>,
    #[serde(default)]
    archived: bool,
}

/// Everything that the caller sees.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply<JsonText> {
    let snapshot = app.initial_sync(&requester, params.limit, params.archived).await?;
    Ok(JsonText(body(&snapshot)))
}

fn body(snapshot: &Snapshot) -> Vec<u8> {
    let rooms: Vec<_> = snapshot.rooms.iter().map(room_body).collect();
    let end = Value::from(snapshot.end.as_str()).to_string();
    [
        b"{\"end\":",
        end.as_bytes(),
        b",\"rooms\":",
        &list(&rooms),
        b",\"presence\":",
        &list(&snapshot.presence),
        b",\"account_data\":",
        &list(&snapshot.account_data),
        b"}",
    ]
    .concat()
}
