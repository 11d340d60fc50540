//! The profile on the account pages, and POST `/oauth2/account/profile`, which changes the display name.

use axum::{Form, extract::rejection::FormRejection, response::Response};
use banyan_core::ServiceError;
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use super::{back, form};
use crate::{
    app::oauth::sign_in::SignedIn,
    http::oauth2::{
        browser::{Browser, explained, status_of},
        login::HOME,
    },
};

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    displayname: String,
}

/// The profile with a form.
pub(super) async fn page(
    browser: &Browser,
    signed_in: &SignedIn,
    refused: Option<&ServiceError>,
) -> Result<Response, ServiceError> {
    let profile = browser.app.users.profile(signed_in.user_id.as_str()).await?;
    let name = profile.get("displayname").and_then(Value::as_str).unwrap_or_default();
    let body = html! {
        p { "How others see " strong { (signed_in.user_id) } "." }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/account/profile" id="profile-form" {
            (browser.form_token())
            label for="displayname" { "Display name" }
            input type="text" id="displayname" name="displayname" value=(name) maxlength="255" autocomplete="nickname";
            button id="save" { "Save" }
        }
        (back())
    };
    Ok(browser.show(refused.map_or(StatusCode::OK, status_of), "Profile", body))
}

/// Changes the name. An empty one is removed.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let name = Value::from(fields.displayname.trim());
    let requester = signed_in.requester(&browser.visitor);
    let changed = if signed_in.suspended {
        Err(crate::app::auth::suspended())
    } else {
        browser.app.set_profile(&requester, &signed_in.user_id, "displayname", Some(name)).await
    };
    match changed {
        Ok(()) => browser.send_to(HOME),
        Err(error) => page(&browser, signed_in, Some(&error)).await.unwrap_or_else(|error| browser.tell_error(&error)),
    }
}
