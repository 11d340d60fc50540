//! GET `/rooms/{roomId}/joined_members`.

use axum::{Json, extract::State};
use banyan_http::Path;
use ruma::OwnedRoomId;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// Who is joined, with names and avatars.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(room_id): Path<OwnedRoomId>) -> Reply {
    let mut joined = Map::new();
    for member in app.joined_members(&requester, &room_id).await? {
        let fields = [("display_name", member.display_name), ("avatar_url", member.avatar_url)];
        let shown: Map<String, Value> =
            fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect();
        joined.insert(member.user_id.to_string(), shown.into());
    }
    Ok(Json(json!({ "joined": Value::Object(joined) })))
}
