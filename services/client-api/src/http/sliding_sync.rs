//! POST `/org.matrix.simplified_msc3575/sync` and POST `/v4/sync` (MSC4186).

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_core::ServiceError;
use banyan_http::{MatrixError, Query, RawObject};
use banyan_runtime::Stage;
use http::{HeaderValue, header};
use serde::{Deserialize, de::IntoDeserializer as _};
use serde_json::json;

use super::{
    extract::Caller,
    reply::JsonText,
    sync::{SetPresence, stopping_with},
};
use crate::app::{App, Requester, sliding_sync::SlidingWish};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    pos: Option<String>,
    set_presence: Option<SetPresence>,
    #[serde(default)]
    timeout: u64,
}

/// What the body has of them in the form of the proposal.
#[derive(Deserialize)]
struct StableParams {
    pos: Option<String>,
    set_presence: Option<String>,
    timeout: Option<u64>,
}

/// Waits for what is new.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(params): Query<Params>,
    RawObject(body): RawObject,
) -> Result<Response, MatrixError> {
    let set_presence = params.set_presence.map(|presence| presence.as_str().to_owned());
    answer(app, requester, SlidingWish { pos: params.pos, timeout_ms: params.timeout, set_presence, body, stable: false }).await
}

/// The same in the form of the proposal, where all stands in the body.
pub(crate) async fn post_stable(
    State(app): State<App>,
    Caller(requester): Caller,
    RawObject(body): RawObject,
) -> Result<Response, MatrixError> {
    let params: StableParams = serde_json::from_slice(&body).map_err(|error| ServiceError::bad_json(error.to_string()))?;
    let presence = |text: &String| {
        let presence = SetPresence::deserialize(text.as_str().into_deserializer());
        presence.map_err(|error: serde::de::value::Error| ServiceError::invalid_param(format!("set_presence: {error}")))
    };
    let set_presence = params.set_presence.as_ref().map(presence).transpose()?.map(|presence| presence.as_str().to_owned());
    let timeout_ms = params.timeout.unwrap_or_default();
    answer(app, requester, SlidingWish { pos: params.pos, timeout_ms, set_presence, body, stable: true }).await
}

/// When this process ends, polls that wait are answered with their own position: the client asks another.
async fn answer(app: App, requester: Requester, wish: SlidingWish) -> Result<Response, MatrixError> {
    let stopping = app.shutdown.stopping(Stage::Listeners);
    let pos = wish.pos.clone();
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
