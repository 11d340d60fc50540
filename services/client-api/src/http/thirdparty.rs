//! Below `/thirdparty`: networks that application services bridge. None is connected, so there are no networks, and nobody and no place
//! in them is found.

use axum::Json;
use banyan_core::ServiceError;
use banyan_http::{Path, Query};
use ruma::{OwnedRoomAliasId, OwnedUserId};
use serde::Deserialize;
use serde_json::json;

use super::{extract::Caller, reply::Reply};

/// The query for the places of a room alias.
#[derive(Deserialize)]
pub(crate) struct Alias {
    #[serde(rename = "alias")]
    _alias: OwnedRoomAliasId,
}

/// The query for a Matrix user elsewhere.
#[derive(Deserialize)]
pub(crate) struct User {
    #[serde(rename = "userid")]
    _user_id: OwnedUserId,
}

/// The networks.
pub(crate) async fn protocols(Caller(_): Caller) -> Reply {
    Ok(Json(json!({})))
}

/// One network, or places or users in one.
pub(crate) async fn of_protocol(Caller(_): Caller, Path(protocol): Path<String>) -> Reply {
    Err(ServiceError::not_found(format!("The network {protocol} is not bridged here")).into())
}

/// The places that a room alias stands for.
pub(crate) async fn location(Caller(_): Caller, Query(_): Query<Alias>) -> Reply {
    Err(ServiceError::not_found("This alias stands for no place in another network").into())
}

/// Who a Matrix user is elsewhere.
pub(crate) async fn user(Caller(_): Caller, Query(_): Query<User>) -> Reply {
    Err(ServiceError::not_found("This is no user of another network").into())
}
