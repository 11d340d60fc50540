//! POST `/oauth2/clients`: an app registers itself (RFC 7591).

use axum::{extract::State, response::Response};
use banyan_http::{Json, MatrixError};
use http::StatusCode;
use serde::Deserialize as _;
use serde_json::Value;

use super::answer::{Answer, json};
use crate::{
    app::{
        App,
        oauth::{OauthError, client::ClientMetadata},
    },
    http::extract::Anyone,
};

/// Registers an app: 201 and what is known of it.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, body: Result<Json<Value>, MatrixError>) -> Answer {
    crate::app::oauth::base(&visitor)?;
    let wrong = |why: String| OauthError::refused("invalid_client_metadata", why);
    let Json(body) = body.map_err(|error| wrong(error.message.into_owned()))?;
    let metadata = ClientMetadata::deserialize(body).map_err(|error| wrong(error.to_string()))?;
    let answer: Response = json(StatusCode::CREATED, app.register_oauth_client(&visitor, metadata).await?);
    Ok(answer)
}
