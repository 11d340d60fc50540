//! [`ServiceError`] as the Matrix error object. Nowhere else does an error become HTTP.
//!
//! Client-server API, "Standard error response" and "Rate limiting".

use std::{borrow::Cow, time::Duration};

use axum::response::{IntoResponse, Response};
use banyan_core::{ErrorCode, ServiceError};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::request;

/// An answer that is an error: a status and `{"errcode": …, "error": …}` with further members.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The Matrix error code.
    pub errcode: Cow<'static, str>,
    /// Words for a person.
    pub message: Cow<'static, str>,
    /// When to come back: the `Retry-After` header and `retry_after_ms`.
    pub retry_after: Option<Duration>,
    /// Further members of the object.
    pub extra: Vec<(String, Value)>,
    /// What went wrong within, for the log and never for the client.
    internal: Option<Cow<'static, str>>,
}

impl MatrixError {
    /// An error with a status of its own.
    #[must_use]
    pub fn new(status: StatusCode, errcode: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (errcode, message) = (Cow::Borrowed(errcode), message.into());
        Self { status, errcode, message, retry_after: None, extra: Vec::new(), internal: None }
    }

    /// 400 M_NOT_JSON: the body is not JSON.
    #[must_use]
    pub fn not_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", message)
    }

    /// 400 M_BAD_JSON: the body is JSON of the wrong shape.
    #[must_use]
    pub fn bad_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_BAD_JSON", message)
    }

    /// 400 M_MISSING_PARAM.
    #[must_use]
    pub fn missing_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", message)
    }

    /// 400 M_INVALID_PARAM.
    #[must_use]
    pub fn invalid_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", message)
    }

    /// 401 M_MISSING_TOKEN.
    #[must_use]
    pub fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "Missing access token")
    }

    /// 401 M_UNKNOWN_TOKEN, not a soft logout: the client's session is gone.
    #[must_use]
    pub fn unknown_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", "Unknown access token").with("soft_logout", Value::Bool(false))
    }

    /// 403 M_FORBIDDEN.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", message)
    }

    /// 404 M_NOT_FOUND.
    #[must_use]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", message)
    }

    /// 404 M_UNRECOGNIZED: there is no such endpoint here.
    #[must_use]
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "Unrecognized request")
    }

    /// 405 M_UNRECOGNIZED: the endpoint exists, and not with this method.
    #[must_use]
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "This endpoint does not have this method")
    }

    /// 404: no server of that name answers here.
    #[must_use]
    pub fn unknown_host() -> Self {
        Self::not_found("No Matrix server of this name answers here")
    }

    /// 500 M_UNKNOWN; `detail` goes to the log only.
    #[must_use]
    pub fn internal(detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "Internal server error");
        error.internal = Some(detail.into());
        error
    }

    /// The same error with a further member of its object.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extra.push((member.to_owned(), value.into()));
        self
    }
}

/// The status of an error. The kind decides, but for conflicts: the specification answers those that have a code of their own
/// (`M_USER_IN_USE`, `M_ROOM_IN_USE`) with 400, and the rest with 409.
fn status_of(error: &ServiceError) -> StatusCode {
    match error.code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict if error.errcode.as_deref().is_some_and(|errcode| errcode != "M_UNKNOWN") => StatusCode::BAD_REQUEST,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code a client sees where the error names none.
const fn default_errcode(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArgument => "M_INVALID_PARAM",
        ErrorCode::Unauthenticated => "M_UNKNOWN_TOKEN",
        ErrorCode::Forbidden => "M_FORBIDDEN",
        ErrorCode::NotFound => "M_NOT_FOUND",
        ErrorCode::TooLarge => "M_TOO_LARGE",
        ErrorCode::Overloaded => "M_LIMIT_EXCEEDED",
        ErrorCode::Conflict | ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Unavailable | ErrorCode::Internal => {
            "M_UNKNOWN"
        }
    }
}

impl From<ServiceError> for MatrixError {
    fn from(error: ServiceError) -> Self {
        let status = status_of(&error);
        match error.code {
            ErrorCode::Internal => return Self::internal(error.message),
            ErrorCode::NotOwner | ErrorCode::Unknown | ErrorCode::Unavailable => {
                // Addresses and names of parts are nothing a client should learn; the log keeps them.
                tracing::warn!(code = ?error.code, detail = %error.message, "a part that is needed does not answer");
                let message = match error.code {
                    ErrorCode::Unknown => "It is not known whether this has happened: try again",
                    _ => "This server cannot do this just now: try again",
                };
                return Self { retry_after: error.retry_after, ..Self::new(status, "M_UNKNOWN", message) };
            }
            _ => {}
        }
        let errcode = error.errcode.unwrap_or(Cow::Borrowed(default_errcode(error.code)));
        let extra: Map<String, Value> = error.extra.and_then(|extra| serde_json::from_str(&extra).ok()).unwrap_or_default();
        let extra = extra.into_iter().collect();
        Self { status, errcode, message: error.message, retry_after: error.retry_after, extra, internal: None }
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let mut message = self.message;
        if let Some(detail) = &self.internal {
            let id = request::current_id();
            tracing::error!(request_id = %id, detail = %detail, "internal error");
            message = Cow::Owned(format!("Internal server error ({id})"));
        }
        let mut object: Map<String, Value> = self.extra.into_iter().collect();
        object.insert("errcode".to_owned(), Value::String(self.errcode.into_owned()));
        object.insert("error".to_owned(), Value::String(message.into_owned()));
        let mut retry_header = None;
        if let Some(after) = self.retry_after {
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            object.insert("retry_after_ms".to_owned(), millis.into());
            retry_header = Some(HeaderValue::from(millis.div_ceil(1000)));
        }
        let mut response = (self.status, axum::Json(Value::Object(object))).into_response();
        if let Some(seconds) = retry_header {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(error: impl Into<MatrixError>) -> (StatusCode, Option<String>, Value) {
        let response = error.into().into_response();
        let retry = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, retry, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn every_kind_has_its_status_and_default_code() {
        let cases = [
            (ErrorCode::InvalidArgument, 400, "M_INVALID_PARAM"),
            (ErrorCode::Unauthenticated, 401, "M_UNKNOWN_TOKEN"),
            (ErrorCode::Forbidden, 403, "M_FORBIDDEN"),
            (ErrorCode::NotFound, 404, "M_NOT_FOUND"),
            (ErrorCode::Conflict, 409, "M_UNKNOWN"),
            (ErrorCode::TooLarge, 413, "M_TOO_LARGE"),
            (ErrorCode::Overloaded, 429, "M_LIMIT_EXCEEDED"),
            (ErrorCode::NotOwner, 503, "M_UNKNOWN"),
            (ErrorCode::Unknown, 503, "M_UNKNOWN"),
            (ErrorCode::Unavailable, 503, "M_UNKNOWN"),
            (ErrorCode::Internal, 500, "M_UNKNOWN"),
        ];
        for (code, status, errcode) in cases {
            let (got, _, body) = answer(ServiceError::new(code, "words")).await;
            assert_eq!((got.as_u16(), body["errcode"].as_str()), (status, Some(errcode)), "{code:?}");
            assert!(body["error"].is_string());
        }
    }

    #[tokio::test]
    async fn names_that_are_taken_are_400() {
        let (status, _, body) = answer(ServiceError::matrix(ErrorCode::Conflict, "M_USER_IN_USE", "taken")).await;
        assert_eq!((status, &body["errcode"]), (StatusCode::BAD_REQUEST, &Value::from("M_USER_IN_USE")));
    }

    #[tokio::test]
    async fn a_limit_says_when_to_come_back_in_both_ways() {
        let (status, retry, body) = answer(ServiceError::limit_exceeded("slow down", Duration::from_millis(1500))).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(retry.as_deref(), Some("2"));
        assert_eq!(body["retry_after_ms"], 1500);
    }

    #[tokio::test]
    async fn what_is_within_stays_within() {
        for error in [ServiceError::internal("table x at 10.0.0.1"), ServiceError::unavailable("10.0.0.1 refused")] {
            let (_, _, body) = answer(error).await;
            assert!(!body.to_string().contains("10.0.0.1"), "{body}");
        }
    }

    #[tokio::test]
    async fn further_members_are_in_the_object() {
        let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNKNOWN_TOKEN", "gone")
            .with_extra(r#"{"soft_logout":true}"#.to_owned());
        let (_, _, body) = answer(error).await;
        assert_eq!(body["soft_logout"], true);
        assert_eq!(body["errcode"], "M_UNKNOWN_TOKEN");
    }
}
