//! GET `/register/available`.

use axum::{Json, extract::State};
use banyan_http::Query;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Anyone, reply::Reply},
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    username: String,
}

/// Whether a name could be registered.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone, Query(params): Query<Params>) -> Reply {
    app.check_username(&visitor, &params.username).await?;
    Ok(Json(json!({ "available": true })))
}
