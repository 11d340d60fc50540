//! GET, PUT and DELETE `/room_keys/keys`, `/room_keys/keys/{roomId}` and `/room_keys/keys/{roomId}/{sessionId}`.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Body as Bytes,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::{Json as Body, MatrixError, Path, Query};
use banyan_proto::userserver::{NewRoomKey, RoomKeysResponse};
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    app::{App, room_keys::key_json},
    http::{
        extract::Caller,
        reply::{JsonText, Reply},
    },
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    version: String,
}

/// Keys of several rooms.
#[derive(Deserialize)]
pub(crate) struct Rooms {
    rooms: BTreeMap<String, Sessions>,
}

/// Keys of a room.
#[derive(Deserialize)]
pub(crate) struct Sessions {
    sessions: BTreeMap<String, KeyData>,
}

/// A key.
#[derive(Deserialize)]
pub(crate) struct KeyData {
    first_message_index: u64,
    forwarded_count: u64,
    is_verified: bool,
    session_data: Box<RawValue>,
}

/// All keys of a backup.
pub(crate) async fn all(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    Ok(streamed(Bytes::from_stream(app.room_keys(&requester, &params.version, None).await?)))
}

/// Its keys of a room.
pub(crate) async fn of_room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<String>,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    Ok(streamed(Bytes::from_stream(app.room_keys(&requester, &params.version, Some(&room_id)).await?)))
}

/// Its key of a session.
pub(crate) async fn of_session(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    let key = app.room_key(&requester, &params.version, room_id, session_id).await?;
    let mut text = Vec::new();
    key_json(&key, &mut text);
    Ok(JsonText(text))
}

/// Stores keys of several rooms.
pub(crate) async fn put_all(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(params): Query<Params>,
    Body(body): Body<Rooms>,
) -> Reply {
    let keys = body.rooms.into_iter().map(|(room_id, sessions)| sessions.keys(&room_id)).collect::<Result<Vec<_>, _>>()?;
    Ok(counted(app.put_room_keys(&requester, params.version, keys.concat()).await?))
}

/// Stores keys of a room.
pub(crate) async fn put_of_room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<String>,
    Query(params): Query<Params>,
    Body(body): Body<Sessions>,
) -> Reply {
    Ok(counted(app.put_room_keys(&requester, params.version, body.keys(&room_id)?).await?))
}

/// Stores the key of a session.
pub(crate) async fn put_of_session(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(params): Query<Params>,
    Body(body): Body<KeyData>,
) -> Reply {
    Ok(counted(app.put_room_keys(&requester, params.version, vec![body.key(room_id, session_id)?]).await?))
}

/// Removes all keys.
pub(crate) async fn delete_all(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply {
    Ok(counted(app.delete_room_keys(&requester, params.version, String::new(), String::new()).await?))
}

/// Removes the keys of a room.
pub(crate) async fn delete_of_room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<String>,
    Query(params): Query<Params>,
) -> Reply {
    Ok(counted(app.delete_room_keys(&requester, params.version, room_id, String::new()).await?))
}

/// Removes the key of a session.
pub(crate) async fn delete_of_session(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(params): Query<Params>,
) -> Reply {
    Ok(counted(app.delete_room_keys(&requester, params.version, room_id, session_id).await?))
}

impl Sessions {
    fn keys(self, room_id: &str) -> Result<Vec<NewRoomKey>, MatrixError> {
        self.sessions.into_iter().map(|(session_id, key)| key.key(room_id.to_owned(), session_id)).collect()
    }
}

impl KeyData {
    fn key(self, room_id: String, session_id: String) -> Result<NewRoomKey, MatrixError> {
        let session_data = self.session_data.get();
        if !session_data.starts_with('{') {
            return Err(MatrixError::bad_json("session_data is not an object"));
        }
        Ok(NewRoomKey {
            room_id,
            session_id,
            first_message_index: self.first_message_index,
            forwarded_count: self.forwarded_count,
            is_verified: self.is_verified,
            session_data: session_data.to_owned().into(),
        })
    }
}

fn counted(count: RoomKeysResponse) -> Json<serde_json::Value> {
    Json(json!({ "etag": count.etag.to_string(), "count": count.keys }))
}

fn streamed(body: Bytes) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
