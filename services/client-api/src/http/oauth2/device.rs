//! POST `/oauth2/device`: a device without a browser asks to be let in (RFC 8628, section 3.1).

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
};
use banyan_users::OauthDevices;
use http::StatusCode;
use serde_json::json;
use url::form_urlencoded;

use super::answer::{Answer, json, unreadable};
use crate::{
    app::{
        App,
        oauth::{base, device::DeviceRequest},
    },
    http::extract::Anyone,
};

/// Gives it a code for itself, and one for somebody to type.
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    form: Result<Form<DeviceRequest>, FormRejection>,
) -> Answer {
    let address = format!("{}/oauth2/link", base(&visitor)?);
    let Form(request) = form.map_err(|error| unreadable(&error))?;
    let codes = app.begin_device_grant(&visitor, request).await?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("user_code", &codes.user_code).finish();
    let body = json!({
        "device_code": codes.device_code,
        "user_code": codes.user_code,
        "verification_uri": address,
        "verification_uri_complete": format!("{address}?{query}"),
        "expires_in": OauthDevices::LIFETIME.as_secs(),
        "interval": OauthDevices::INTERVAL,
    });
    Ok(json(StatusCode::OK, body))
}
