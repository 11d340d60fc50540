//! POST `/createRoom`.

use axum::{Json, extract::State};
use banyan_http::{RawObject, body};
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::{App, create_room::RoomWish};

/// Makes a room.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, RawObject(bytes): RawObject) -> Reply {
    let wish: RoomWish = body::parse(&bytes)?;
    let room_id = app.create_room(&requester, wish, bytes).await?;
    Ok(Json(json!({ "room_id": room_id })))
}
