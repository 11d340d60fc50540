//! GET `/_matrix/client/v1/register/m.login.registration_token/validity`.

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
    token: String,
}

/// Whether a registration token could be used.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone, Query(params): Query<Params>) -> Reply {
    let valid = app.registration_token_is_valid(&visitor, &params.token).await?;
    Ok(Json(json!({ "valid": valid })))
}
