//! POST `/rooms/{roomId}/invite`.

use axum::extract::State;
use banyan_http::{Json, MatrixError, Path};
use banyan_proto::roomserver::change_membership_request::Action;
use http::StatusCode;
use ruma::OwnedRoomId;
use serde_json::{Map, Value};

use super::{Target, change};
use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// Invites somebody by their user id. By a third-party identifier nobody can be invited yet.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Json(body): Json<Map<String, Value>>,
) -> Reply {
    if !body.contains_key("user_id") && body.contains_key("medium") {
        let message = "This server cannot invite by third-party identifiers";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, "M_THREEPID_DENIED", message));
    }
    let target: Target = serde_json::from_value(Value::Object(body)).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    change(&app, &requester, &room_id, Action::Invite, target).await
}
