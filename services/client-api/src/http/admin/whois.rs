//! GET `/admin/whois/{userId}`.

use axum::{Json, extract::State};
use banyan_http::Path;
use ruma::OwnedUserId;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// Where a user was seen last.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(user_id): Path<OwnedUserId>) -> Reply {
    Ok(Json(app.whois(&requester, &user_id).await?))
}
