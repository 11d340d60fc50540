//! A device on the account pages, and POST `/oauth2/account/device`, which ends it.

use axum::{Form, extract::rejection::FormRejection, response::Response};
use banyan_core::ServiceError;
use http::StatusCode;
use maud::html;
use serde::Deserialize;

use super::{back, form, name_of, when};
use crate::{
    app::oauth::{client::shown_host, sign_in::SignedIn},
    http::oauth2::{browser::Browser, login::HOME},
};

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    device_id: String,
}

/// What is known of a device, with a button that ends it.
pub(super) async fn page(browser: &Browser, signed_in: &SignedIn, device_id: &str) -> Result<Response, ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    let device = app.users.device(signed_in.user_id.as_str(), device_id).await?;
    let Some(device) = device else {
        let body = html! { p role="alert" { "You have no such device. It may be signed out already." } (back()) };
        return Ok(browser.show(StatusCode::NOT_FOUND, "Device", body));
    };
    let client = match device.oauth_client.as_str() {
        "" => None,
        client_id => app.oauth_clients.find(visitor.server_name(), client_id).await?,
    };
    let body = html! {
        dl {
            dt { "Name" } dd { (name_of(device_id, &device)) }
            dt { "Id" } dd id="device-id" { (device_id) }
            @if let Some(client) = &client { dt { "App" } dd { (shown_host(client)) } }
            @if device.created != 0 { dt { "Signed in" } dd { (when(device.created)) } }
            @if device.last_seen != 0 { dt { "Last seen" } dd { (when(device.last_seen)) } }
            @if !device.last_seen_ip.is_empty() { dt { "Address" } dd { (device.last_seen_ip) } }
        }
        p { "Signing it out ends its session. Messages that only this device can read are lost to it." }
        form method="post" action="/oauth2/account/device" id="device-form" {
            (browser.form_token())
            input type="hidden" name="device_id" value=(device_id);
            button.danger id="sign-out-device" { "Sign out this device" }
        }
        (back())
    };
    Ok(browser.show(StatusCode::OK, "Device", body))
}

/// Ends it.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    match browser.app.end_device(&browser.visitor, signed_in, fields.device_id).await {
        Ok(()) => browser.send_to(HOME),
        Err(error) => browser.tell_error(&error),
    }
}
