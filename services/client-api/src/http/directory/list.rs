//! `/directory/list/room/{roomId}` and `/directory/list/appservice/{networkId}/{roomId}`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, Path};
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    app::App,
    http::{
        extract::{Anyone, Caller},
        reply::{Reply, empty},
    },
};

/// The body of PUT.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    visibility: Visibility,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    Private,
    #[default]
    Public,
}

/// Whether the directory lists a room.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone, Path(room_id): Path<OwnedRoomId>) -> Reply {
    let published = app.is_in_directory(&visitor, &room_id).await?;
    let visibility = if published { Visibility::Public } else { Visibility::Private };
    Ok(Json(json!({ "visibility": visibility })))
}

/// Lists a room in the directory, or takes it out.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(wish): Body<Wish>,
) -> Reply {
    app.publish_room(&requester, &room_id, wish.visibility == Visibility::Public).await?;
    Ok(empty())
}

/// Lists a room in the directory of a network, or takes it out: only the application service that bridges the network may, and none is
/// connected.
pub(crate) async fn put_appservice(Caller(_): Caller, Path(_): Path<(String, OwnedRoomId)>, Body(_): Body<Wish>) -> Reply {
    Err(MatrixError::forbidden("Only application services have directories of their own"))
}
