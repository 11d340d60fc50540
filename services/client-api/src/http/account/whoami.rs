//! GET `/account/whoami`.

use axum::Json;
use serde_json::{Map, Value};

use crate::http::extract::Caller;

/// Who the token stands for.
pub(crate) async fn get(Caller(requester): Caller) -> Json<Value> {
    let mut body = Map::new();
    body.insert("user_id".to_owned(), requester.user_id.as_str().into());
    if let Some(device_id) = requester.device() {
        body.insert("device_id".to_owned(), device_id.as_str().into());
    }
    body.insert("is_guest".to_owned(), requester.guest.into());
    Json(Value::Object(body))
}
