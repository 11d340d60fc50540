//! POST `/keys/signatures/upload`.

use axum::extract::State;
use banyan_http::RawObject;

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{JsonText, Reply},
    },
};

/// Publishes signatures by the caller's keys.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, RawObject(body): RawObject) -> Reply<JsonText> {
    let failures = app.upload_signatures(&requester, body).await?;
    Ok(JsonText([b"{\"failures\":", &failures[..], b"}"].concat()))
}
