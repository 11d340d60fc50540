//! Answers of the endpoints that apps call.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use banyan_core::ErrorCode;
use banyan_http::MatrixError;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::app::oauth::OauthError;

/// Nothing of it may be kept on the way (RFC 6749, section 5.1).
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// What such an endpoint answers.
pub(crate) type Answer = Result<Response, OauthError>;

/// JSON that nobody keeps.
pub(crate) fn json(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, NOT_KEPT)], Json(body)).into_response()
}

/// A form that cannot be read.
pub(crate) fn unreadable(why: &impl ToString) -> OauthError {
    OauthError::refused("invalid_request", why.to_string())
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(error, description) => {
                let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
                json(status, json!({ "error": error, "error_description": description }))
            }
            Self::Service(error) if matches!(error.code, ErrorCode::Unavailable | ErrorCode::Unknown) => {
                let body = json!({ "error": "temporarily_unavailable", "error_description": error.message });
                json(StatusCode::SERVICE_UNAVAILABLE, body)
            }
            Self::Service(error) => MatrixError::from(error).into_response(),
        }
    }
}
