//! GET `/mutual_rooms`.

use axum::{Json, extract::State};
use banyan_http::Query;
use serde::Deserialize;
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::App;

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    user_id: String,
    from: Option<String>,
}

/// A page of the rooms that the caller shares with a user.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply {
    let page = app.mutual_rooms(&requester, &params.user_id, params.from.as_deref()).await?;
    let mut answer = json!({ "joined": page.joined, "count": page.count });
    if let Some(next_batch) = page.next_batch {
        answer["next_batch"] = next_batch.into();
    }
    Ok(Json(answer))
}
