//! POST `/rooms/{roomId}/report` and `/rooms/{roomId}/report/{eventId}`.

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;

use crate::{
    app::{App, reports::Subject},
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// The body about a room or a user.
#[derive(Deserialize)]
pub(crate) struct Reason {
    pub(crate) reason: String,
}

/// The body about an event. A `score`, which older clients send, is not looked at.
#[derive(Deserialize)]
pub(crate) struct EventReason {
    reason: Option<String>,
}

/// Reports a room.
pub(crate) async fn room(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Reason>,
) -> Reply {
    app.report(&requester, Subject::Room(room_id), body.reason).await?;
    Ok(empty())
}

/// Reports an event.
pub(crate) async fn event(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
    Body(body): Body<EventReason>,
) -> Reply {
    app.report_event(&requester, &room_id, &event_id, body.reason.unwrap_or_default()).await?;
    Ok(empty())
}
