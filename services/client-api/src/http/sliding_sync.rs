//! POST `/org.matrix.simplified_msc3575/sync` (MSC4186).

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::{MatrixError, Query, RawObject};
use banyan_runtime::Stage;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    extract::Caller,
    reply::JsonText,
    sync::{SetPresence, stopping_with},
};
use crate::app::{App, sliding_sync::SlidingWish};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    pos: Option<String>,
    set_presence: Option<SetPresence>,
    #[serde(default)]
    timeout: u64,
}

/// Waits for what is new. When this process ends, polls that wait are answered with their own position: the client asks another.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(params): Query<Params>,
    RawObject(body): RawObject,
) -> Result<Response, MatrixError> {
    let stopping = app.shutdown.stopping(Stage::Listeners);
    let pos = params.pos.clone();
    let wish = SlidingWish {
        pos: params.pos,
        timeout_ms: params.timeout,
        set_presence: params.set_presence.map(|presence| presence.as_str().to_owned()),
        body,
    };
    let answer = tokio::select! {
        answer = app.sliding_sync(&requester, wish) => answer?,
        pos = stopping_with(stopping, pos) => {
            let unchanged = json!({ "pos": pos, "lists": {}, "rooms": {}, "extensions": {} });
            return Ok(JsonText(unchanged.to_string().into_bytes()).into_response());
        }
    };
    let mut response = Body::from_stream(answer).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
