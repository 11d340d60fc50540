//! Below `/profile`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, Path};
use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::App;

/// A whole profile.
pub(crate) async fn get(State(app): State<App>, Path(user_id): Path<OwnedUserId>) -> Reply {
    Ok(Json(json!(app.profile(&user_id).await?)))
}

/// One field.
pub(crate) async fn get_field(State(app): State<App>, Path((user_id, field)): Path<(OwnedUserId, String)>) -> Reply {
    let value = app.profile_field(&user_id, &field).await?;
    Ok(Json(Value::Object(Map::from_iter([(field, value)]))))
}

/// Sets a field.
pub(crate) async fn put_field(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, field)): Path<(OwnedUserId, String)>,
    Body(mut body): Body<Map<String, Value>>,
) -> Reply {
    let value = body.remove(&field).ok_or_else(|| MatrixError::missing_param(format!("{field} is missing")))?;
    app.set_profile(&requester, &user_id, &field, Some(value)).await?;
    Ok(empty())
}

/// Removes a field.
pub(crate) async fn delete_field(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, field)): Path<(OwnedUserId, String)>,
) -> Reply {
    app.set_profile(&requester, &user_id, &field, None).await?;
    Ok(empty())
}
