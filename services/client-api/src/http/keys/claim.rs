//! POST `/keys/claim`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use serde::Deserialize;

use crate::{
    app::{App, claim_keys::Wanted},
    http::{extract::Caller, reply::Reply},
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    one_time_keys: Wanted,
}

/// Claims a key of each device.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    Ok(Json(app.claim_keys(&requester, wish.one_time_keys).await?))
}
