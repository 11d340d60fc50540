//! `/user/{userId}/account_data/{type}` and `/user/{userId}/rooms/{roomId}/account_data/{type}`.

use axum::extract::State;
use banyan_http::{MatrixError, Path, RawObject};
use http::StatusCode;
use ruma::{OwnedRoomId, OwnedUserId};

use crate::{
    app::{App, account_data::is_server_controlled},
    http::{
        extract::Caller,
        reply::{JsonText, Reply, empty},
    },
};

/// A piece of global account data.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, kind)): Path<(OwnedUserId, String)>,
) -> Reply<JsonText> {
    Ok(JsonText(app.account_data(&requester, &user_id, None, &kind).await?.to_vec()))
}

/// Sets a piece of global account data.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, kind)): Path<(OwnedUserId, String)>,
    RawObject(content): RawObject,
) -> Reply {
    refuse_server_controlled(&kind)?;
    app.set_account_data(&requester, &user_id, None, &kind, content).await?;
    Ok(empty())
}

/// A piece of a room's account data.
pub(crate) async fn get_of_room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, room_id, kind)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Reply<JsonText> {
    Ok(JsonText(app.account_data(&requester, &user_id, Some(&room_id), &kind).await?.to_vec()))
}

/// Sets a piece of a room's account data.
pub(crate) async fn put_of_room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((user_id, room_id, kind)): Path<(OwnedUserId, OwnedRoomId, String)>,
    RawObject(content): RawObject,
) -> Reply {
    refuse_server_controlled(&kind)?;
    app.set_account_data(&requester, &user_id, Some(&room_id), &kind, content).await?;
    Ok(empty())
}

/// 405 M_BAD_JSON, as the specification wants it for kinds that the server controls.
fn refuse_server_controlled(kind: &str) -> Result<(), MatrixError> {
    if is_server_controlled(kind) {
        return Err(MatrixError::new(StatusCode::METHOD_NOT_ALLOWED, "M_BAD_JSON", format!("Cannot set {kind} through this API")));
    }
    Ok(())
}
