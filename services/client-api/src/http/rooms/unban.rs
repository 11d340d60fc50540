//! POST `/rooms/{roomId}/unban`.

use axum::extract::State;
use banyan_http::{Json, Path};
use banyan_proto::roomserver::change_membership_request::Action;
use ruma::OwnedRoomId;

use super::{Target, change};
use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// Lifts a ban.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Json(target): Json<Target>,
) -> Reply {
    change(&app, &requester, &room_id, Action::Unban, target).await
}
