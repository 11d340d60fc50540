//! GET `/_matrix/federation/v1/openid/userinfo`.

use axum::{Json, extract::State};
use banyan_http::{MatrixError, Query};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Federation, tenant::Addressed};

/// The query.
#[derive(Deserialize)]
pub(super) struct Params {
    #[serde(default)]
    access_token: Option<String>,
}

/// Whose token it is.
pub(super) async fn userinfo(
    State(federation): State<Federation>,
    Addressed(tenant): Addressed,
    Query(params): Query<Params>,
) -> Result<Json<Value>, MatrixError> {
    let token = params.access_token.ok_or_else(MatrixError::missing_token)?;
    let user_id = federation.openid_tokens.find(tenant.name().as_str(), &token).await?;
    let unknown = || MatrixError::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", "Access token unknown or expired");
    Ok(Json(json!({ "sub": user_id.ok_or_else(unknown)? })))
}
