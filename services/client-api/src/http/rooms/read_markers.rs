//! POST `/rooms/{roomId}/read_markers`.

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;

use crate::{
    app::{App, receipts::Markers},
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(rename = "m.fully_read")]
    fully_read: Option<OwnedEventId>,
    #[serde(rename = "m.read")]
    read: Option<OwnedEventId>,
    #[serde(rename = "m.read.private")]
    read_private: Option<OwnedEventId>,
}

/// Moves the markers that the body names.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(Wish { fully_read, read, read_private }): Body<Wish>,
) -> Reply {
    app.set_read_markers(&requester, &room_id, Markers { fully_read, read, read_private }).await?;
    Ok(empty())
}
