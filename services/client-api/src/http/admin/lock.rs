//! GET and PUT `/_matrix/client/v1/admin/lock/{userId}`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Path};
use banyan_proto::userserver::moderate_account_request::Change;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// The body of PUT.
#[derive(Deserialize)]
pub(crate) struct Wish {
    locked: bool,
}

/// Whether an account is locked.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(user_id): Path<OwnedUserId>) -> Reply {
    let account = app.moderated(&requester, &user_id).await?;
    Ok(Json(json!({ "locked": account.locked })))
}

/// Sets whether an account is locked.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(user_id): Path<OwnedUserId>,
    Body(wish): Body<Wish>,
) -> Reply {
    app.moderate(&requester, &user_id, Change::Locked(wish.locked)).await?;
    Ok(Json(json!({ "locked": wish.locked })))
}
