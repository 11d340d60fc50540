//! `/dehydrated_device` and below (MSC3814).

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, OptionalJson, Path, Query};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{extract::Caller, reply::Reply};
use crate::app::{
    App,
    dehydrated_device::{NewDehydrated, PAGE},
    upload_keys::NewKeys,
};

/// The body of PUT.
#[derive(Deserialize)]
pub(crate) struct Wish {
    device_id: String,
    device_data: Map<String, Value>,
    initial_device_display_name: Option<String>,
    device_keys: Map<String, Value>,
    one_time_keys: Option<Map<String, Value>>,
    fallback_keys: Option<Map<String, Value>>,
}

/// Keeps a device, in place of the one before.
pub(crate) async fn put(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    if !wish.device_data.get("algorithm").is_some_and(Value::is_string) {
        return Err(MatrixError::bad_json("device_data.algorithm is missing"));
    }
    let json = |object: Map<String, Value>| Bytes::from(Value::Object(object).to_string());
    let keys = NewKeys {
        device_keys: json(wish.device_keys),
        one_time_keys: wish.one_time_keys.map(json).unwrap_or_default(),
        fallback_keys: wish.fallback_keys.map(json).unwrap_or_default(),
    };
    let new = NewDehydrated {
        device_id: wish.device_id.clone(),
        data: json(wish.device_data),
        display_name: wish.initial_device_display_name.unwrap_or_default(),
        keys,
    };
    app.put_dehydrated(&requester, new).await?;
    Ok(Json(json!({ "device_id": wish.device_id })))
}

/// The device.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller) -> Reply {
    let device = app.dehydrated(&requester).await?;
    let data: Value = serde_json::from_slice(&device.data).map_err(|error| MatrixError::internal(error.to_string()))?;
    Ok(Json(json!({ "device_id": device.device_id, "device_data": data })))
}

/// Ends it.
pub(crate) async fn delete(State(app): State<App>, Caller(requester): Caller) -> Reply {
    Ok(Json(json!({ "device_id": app.delete_dehydrated(&requester).await? })))
}

/// The query of both ways to read the messages.
#[derive(Deserialize)]
pub(crate) struct Params {
    from: Option<String>,
    limit: Option<usize>,
}

/// A page of the messages that wait for it; no token behind the last one.
pub(crate) async fn events(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(device_id): Path<String>,
    Query(params): Query<Params>,
) -> Reply {
    let limit = params.limit.unwrap_or(PAGE);
    let page = app.dehydrated_events(&requester, &device_id, params.from.as_deref(), limit).await?;
    let mut answer = json!({ "events": page.events });
    if page.more {
        answer["next_batch"] = json!(page.next);
    }
    Ok(Json(answer))
}

/// The body of POST.
#[derive(Default, Deserialize)]
pub(crate) struct Place {
    next_batch: Option<String>,
}

/// The same as an earlier form of the proposal had it: there is always a token, and the client asks until a page is empty.
pub(crate) async fn post_events(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(device_id): Path<String>,
    Query(params): Query<Params>,
    OptionalJson(place): OptionalJson<Place>,
) -> Reply {
    let limit = params.limit.unwrap_or(PAGE);
    let page = app.dehydrated_events(&requester, &device_id, place.next_batch.as_deref(), limit).await?;
    Ok(Json(json!({ "events": page.events, "next_batch": page.next })))
}
