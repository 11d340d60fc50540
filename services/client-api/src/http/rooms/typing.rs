//! PUT `/rooms/{roomId}/typing/{userId}`.

use std::time::Duration;

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// For how long somebody types who does not say.
const DEFAULT: u64 = 30_000;

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    typing: bool,
    /// Milliseconds.
    #[serde(default)]
    timeout: Option<u64>,
}

/// Says whether the caller types.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, user_id)): Path<(OwnedRoomId, OwnedUserId)>,
    Body(Wish { typing, timeout }): Body<Wish>,
) -> Reply {
    let time = typing.then(|| Duration::from_millis(timeout.unwrap_or(DEFAULT)));
    app.set_typing(&requester, &room_id, &user_id, time).await?;
    Ok(empty())
}
