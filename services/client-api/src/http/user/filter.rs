//! `/user/{userId}/filter`.

use axum::{Json, extract::State};
use banyan_http::{Path, RawObject};
use ruma::OwnedUserId;
use serde_json::json;

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{JsonText, Reply},
    },
};

/// Stores a filter.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(user_id): Path<OwnedUserId>,
    RawObject(filter): RawObject,
) -> Reply {
    let filter_id = app.put_filter(&requester, &user_id, filter).await?;
    Ok(Json(json!({ "filter_id": filter_id })))
}

/// A stored filter.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, id)): Path<(OwnedUserId, String)>,
) -> Reply<JsonText> {
    Ok(JsonText(app.filter(&requester, &user_id, &id).await?.to_vec()))
}
