//! GET `/sync`.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::{MatrixError, Query};
use banyan_runtime::Stage;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::json;

use super::{extract::Caller, reply::JsonText};
use crate::app::{App, sync::SyncWish};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    filter: Option<String>,
    since: Option<String>,
    #[serde(default)]
    full_state: bool,
    set_presence: Option<SetPresence>,
    #[serde(default)]
    timeout: u64,
    #[serde(default)]
    use_state_after: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SetPresence {
    Offline,
    Online,
    Unavailable,
}

impl SetPresence {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Waits for what is new. When this process ends, polls that wait are answered with their own token: the client asks another.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    let stopping = app.shutdown.stopping(Stage::Listeners);
    let since = params.since.clone();
    let wish = SyncWish {
        since: params.since,
        filter: params.filter,
        full_state: params.full_state,
        timeout_ms: params.timeout,
        use_state_after: params.use_state_after,
        set_presence: params.set_presence.map(|presence| presence.as_str().to_owned()),
    };
    let answer = tokio::select! {
        answer = app.sync(&requester, wish) => answer?,
        token = stopping_with(stopping, since) => return Ok(JsonText(json!({ "next_batch": token }).to_string().into_bytes()).into_response()),
    };
    let mut response = Body::from_stream(answer).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Resolves with the client's token when the process ends; never for a first sync, which has none and is finished.
pub(super) async fn stopping_with(stopping: tokio_util::sync::CancellationToken, since: Option<String>) -> String {
    stopping.cancelled().await;
    match since {
        Some(token) => token,
        None => std::future::pending().await,
    }
}
