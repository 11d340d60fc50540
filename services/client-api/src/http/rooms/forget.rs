//! POST `/rooms/{roomId}/forget`.

use axum::extract::State;
use banyan_http::{OptionalJson, Path};
use ruma::OwnedRoomId;
use serde_json::{Map, Value};

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// Forgets a room.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalJson(_): OptionalJson<Map<String, Value>>,
) -> Reply {
    app.forget(&requester, &room_id).await?;
    Ok(empty())
}
