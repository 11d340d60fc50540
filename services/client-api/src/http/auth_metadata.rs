//! GET `/_matrix/client/v1/auth_metadata` and `/.well-known/oauth-authorization-server`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::MatrixError;
use http::{HeaderValue, header};

use super::extract::Anyone;
use crate::app::App;

/// How long apps may keep it.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Where the OAuth 2.0 endpoints are, and what they can do.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone) -> Result<Response, MatrixError> {
    let metadata = app.oauth_metadata(&visitor)?;
    Ok(([(header::CACHE_CONTROL, CACHED)], Json(metadata)).into_response())
}
