//! Answers.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use banyan_http::MatrixError;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::app::uia::Uia;

/// What a handler answers: JSON or a Matrix error.
pub(crate) type Reply<T = axum::Json<Value>> = Result<T, MatrixError>;

/// `{}`.
pub(crate) fn empty() -> axum::Json<Value> {
    axum::Json(json!({}))
}

/// The answer of an endpoint with user-interactive authentication: what it did, or 401 and the stages that are missing.
pub(crate) fn challenged(outcome: Uia<Json<Value>>) -> Response {
    match outcome {
        Uia::Done(body) => body.into_response(),
        Uia::Challenge(body) => (StatusCode::UNAUTHORIZED, Json(body)).into_response(),
    }
}

/// JSON text as it is.
pub(crate) struct JsonText(pub(crate) Vec<u8>);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

/// A JSON list of events that are JSON text already.
pub(crate) fn list(events: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.iter().map(|event| event.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    out.extend_from_slice(&events.join(&b','));
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_events_is_json() {
        assert_eq!(list(&[]), b"[]");
        assert_eq!(list(&[b"{}".to_vec(), b"{\"a\":1}".to_vec()]), b"[{},{\"a\":1}]");
    }
}
