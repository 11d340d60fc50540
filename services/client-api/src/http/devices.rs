//! GET `/devices`, and GET, PUT and DELETE `/devices/{deviceId}`.

use axum::{Json, extract::State, response::Response};
use banyan_http::{Json as Body, MatrixError, OptionalJson, Path};
use banyan_proto::users::Device;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    extract::Caller,
    reply::{Reply, challenged, empty},
};
use crate::app::App;

/// The body of PUT.
#[derive(Deserialize)]
pub(crate) struct Wish {
    display_name: Option<String>,
}

/// All devices of the caller.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller) -> Reply {
    let devices = app.devices(&requester).await?;
    let devices: Vec<_> = devices.iter().map(|(device_id, device)| shown(device_id, device)).collect();
    Ok(Json(json!({ "devices": devices })))
}

/// One of them.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(device_id): Path<String>) -> Reply {
    let device = app.device(&requester, &device_id).await?;
    Ok(Json(shown(&device_id, &device)))
}

/// Names it.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(device_id): Path<String>,
    Body(wish): Body<Wish>,
) -> Reply {
    app.rename_device(&requester, &device_id, wish.display_name).await?;
    Ok(empty())
}

/// Ends it, or says which stages are missing (401).
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(device_id): Path<String>,
    OptionalJson(body): OptionalJson<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    let outcome = app.delete_devices(&requester, "DELETE /_matrix/client/v3/devices/{deviceId}", vec![device_id], &body).await?;
    Ok(challenged(outcome.map(|()| empty())))
}

fn shown(device_id: &str, device: &Device) -> Value {
    let mut shown = json!({ "device_id": device_id });
    if !device.display_name.is_empty() {
        shown["display_name"] = json!(device.display_name);
    }
    if !device.last_seen_ip.is_empty() {
        shown["last_seen_ip"] = json!(device.last_seen_ip);
    }
    if device.last_seen != 0 {
        shown["last_seen_ts"] = json!(device.last_seen / 1000);
    }
    shown
}
