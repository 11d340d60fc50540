//! POST `/keys/query`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use serde::Deserialize;

use crate::{
    app::{App, query_keys::Wanted},
    http::{extract::Caller, reply::Reply},
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    device_keys: Wanted,
}

/// The keys of users and their devices.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    Ok(Json(app.query_keys(&requester, wish.device_keys).await?))
}
