//! GET `/rooms/{roomId}/event/{eventId}`.

use axum::extract::State;
use banyan_http::Path;
use ruma::{OwnedEventId, OwnedRoomId};

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{JsonText, Reply},
    },
};

/// One event.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
) -> Reply<JsonText> {
    Ok(JsonText(app.event(&requester, &room_id, &event_id).await?))
}
