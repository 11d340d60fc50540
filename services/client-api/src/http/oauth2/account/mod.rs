//! GET `/oauth2/account`: what somebody can do with their account, and what apps link to (specification: "Account management URL
//! actions"). What is done is in the files beside.

pub(crate) mod confirm;
pub(crate) mod deactivate;
pub(crate) mod device;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod reset;

use std::time::{Duration, UNIX_EPOCH};

use axum::{
    Form,
    extract::{Query, rejection::FormRejection},
    response::Response,
};
use banyan_core::ServiceError;
use banyan_proto::users::Device;
use http::{StatusCode, Uri};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    browser::Browser,
    login::{self, HOME},
};
use crate::app::oauth::{
    account::{CONFIRM, DEACTIVATE, DEVICE_DELETE, DEVICE_VIEW, PASSWORD, PROFILE, RESET},
    sign_in::SignedIn,
};

/// The query. What an action does not need is not looked at.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    action: String,
    #[serde(default)]
    device_id: String,
    #[serde(default)]
    session: String,
}

/// Shows the page of an action; of one that is not known, the overview.
pub(crate) async fn get(browser: Browser, uri: Uri, params: Query<Params>) -> Response {
    let Some(signed_in) = &browser.signed_in else {
        return browser.send_to(&login::address(uri.path_and_query().map_or(HOME, |path| path.as_str())));
    };
    let page = match params.action.as_str() {
        PROFILE => profile::page(&browser, signed_in, None).await,
        // As these were called before they were specified.
        DEVICE_VIEW | DEVICE_DELETE | "org.matrix.session_view" | "org.matrix.session_end" => {
            device::page(&browser, signed_in, &params.device_id).await
        }
        PASSWORD => Ok(password::page(&browser, signed_in, None)),
        CONFIRM => confirm::page(&browser, signed_in, &params.session).await,
        DEACTIVATE => Ok(deactivate::page(&browser, signed_in, None)),
        RESET => Ok(reset::page(&browser, signed_in, &params.session, None)),
        _ => overview(&browser, signed_in).await,
    };
    page.unwrap_or_else(|error| browser.tell_error(&error))
}

/// Whoever is signed in and sent a form that this browser was shown; everybody else is answered.
pub(super) fn form<T>(
    browser: &Browser,
    form: Result<Form<T>, FormRejection>,
    csrf: impl Fn(&T) -> &str,
) -> Result<(T, &SignedIn), Box<Response>> {
    match (form, &browser.signed_in) {
        (Ok(Form(fields)), Some(signed_in)) if browser.was_shown(csrf(&fields)) => Ok((fields, signed_in)),
        (Ok(_), None) => Err(Box::new(browser.send_to(&login::address(HOME)))),
        _ => Err(Box::new(browser.tell_unreadable())),
    }
}

/// The address of the page of an action.
fn address(action: &str, device_id: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("action", action);
    if !device_id.is_empty() {
        query.append_pair("device_id", device_id);
    }
    format!("{HOME}?{}", query.finish())
}

async fn overview(browser: &Browser, signed_in: &SignedIn) -> Result<Response, ServiceError> {
    let devices = browser.app.devices(&signed_in.requester(&browser.visitor)).await?;
    let mut devices: Vec<_> = devices.into_iter().collect();
    devices.sort_by_key(|(_, device)| std::cmp::Reverse(device.last_seen));
    let body = html! {
        p { "Signed in as " strong id="user" { (signed_in.user_id) } }
        nav aria-label="Account" {
            a id="profile" href=(address(PROFILE, "")) { "Profile" }
            @if browser.app.has_changeable_password(&browser.visitor, signed_in) {
                a id="password" href=(address(PASSWORD, "")) { "Password" }
            }
            a id="deactivate" href=(address(DEACTIVATE, "")) { "Deactivate account" }
        }
        h2 { "Devices" }
        @if devices.is_empty() { p { "No device is signed in." } }
        ul.plain id="devices" {
            @for (device_id, device) in &devices {
                li {
                    a href=(address(DEVICE_VIEW, device_id)) { (name_of(device_id, device)) }
                    br;
                    span.note { (device_id) @if device.last_seen != 0 { ", last seen " (when(device.last_seen)) } }
                }
            }
        }
        form method="post" action="/oauth2/logout" id="sign-out-form" {
            (browser.form_token())
            p { button.quiet id="sign-out" { "Sign out of these pages" } }
        }
    };
    Ok(browser.show(StatusCode::OK, "Your account", body))
}

/// A way back to the overview.
fn back() -> Markup {
    html! { p { a id="back" href=(HOME) { "Back to your account" } } }
}

fn name_of<'a>(device_id: &'a str, device: &'a Device) -> &'a str {
    if device.display_name.trim().is_empty() { device_id } else { &device.display_name }
}

/// A time in microseconds, for people.
fn when(micros: i64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    time.map(httpdate::fmt_http_date).unwrap_or_default()
}
