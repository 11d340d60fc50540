//! POST `/rooms/{roomId}/invite`, in its two forms.

use axum::extract::State;
use banyan_http::{Json, MatrixError, Path};
use banyan_proto::roomserver::change_membership_request::Action;
use ruma::OwnedRoomId;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Target, change};
use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// Invites somebody by their user id, or by a third-party identifier.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Json(body): Json<Map<String, Value>>,
) -> Reply {
    if body.contains_key("user_id") || !body.contains_key("medium") {
        let target: Target = parse(body)?;
        return change(&app, &requester, &room_id, Action::Invite, target).await;
    }
    app.invite_third_party(&requester, &room_id, &parse(body)?, 0).await?;
    Ok(empty())
}

fn parse<T: DeserializeOwned>(body: Map<String, Value>) -> Result<T, MatrixError> {
    serde_json::from_value(Value::Object(body)).map_err(|error| MatrixError::bad_json(error.to_string()))
}
