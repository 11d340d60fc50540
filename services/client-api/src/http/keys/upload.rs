//! POST `/keys/upload`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::{App, upload_keys::NewKeys},
    http::{extract::Caller, reply::Reply},
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    device_keys: Option<Map<String, Value>>,
    one_time_keys: Option<Map<String, Value>>,
    fallback_keys: Option<Map<String, Value>>,
}

/// Publishes keys of the caller's device.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    let json = |keys: Option<Map<String, Value>>| keys.map(|keys| Bytes::from(Value::Object(keys).to_string())).unwrap_or_default();
    let keys = NewKeys {
        device_keys: json(wish.device_keys),
        one_time_keys: json(wish.one_time_keys),
        fallback_keys: json(wish.fallback_keys),
    };
    let counts = app.upload_keys(&requester, keys).await?;
    Ok(Json(json!({ "one_time_key_counts": counts })))
}
