//! GET `/rooms/{roomId}/members`.

use axum::extract::State;
use banyan_http::{MatrixError, Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;

use crate::{
    app::{App, members::MembersWish},
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    at: Option<String>,
    membership: Option<String>,
    not_membership: Option<String>,
}

/// The member events.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    for membership in params.membership.iter().chain(&params.not_membership) {
        if !["join", "invite", "knock", "leave", "ban"].contains(&membership.as_str()) {
            return Err(MatrixError::invalid_param(format!("{membership} is not a membership")));
        }
    }
    let wish = MembersWish { at: params.at, membership: params.membership, not_membership: params.not_membership };
    let events = app.members(&requester, &room_id, wish).await?;
    Ok(JsonText([b"{\"chunk\":", list(&events).as_slice(), b"}"].concat()))
}
