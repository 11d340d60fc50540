//! POST `/rooms/{roomId}/leave`.

use axum::extract::State;
use banyan_http::{OptionalJson, Path};
use banyan_proto::roomserver::change_membership_request::Action;
use ruma::OwnedRoomId;

use super::{Target, change};
use crate::{
    app::{App, membership::Reason},
    http::{extract::Caller, reply::Reply},
};

/// Leaves a room, or declines an invitation to it.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalJson(body): OptionalJson<Reason>,
) -> Reply {
    let target = Target { user_id: requester.user_id.clone(), reason: body.reason };
    change(&app, &requester, &room_id, Action::Leave, target).await
}
