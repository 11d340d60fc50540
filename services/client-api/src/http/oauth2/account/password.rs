//! The password on the account pages, and POST `/oauth2/account/password`, which changes it: apps of the OAuth 2.0 API cannot.

use axum::{Form, extract::rejection::FormRejection, response::Response};
use banyan_core::ServiceError;
use http::StatusCode;
use maud::html;
use serde::Deserialize;

use super::{back, form};
use crate::{
    app::oauth::{account::NewPassword, create::MIN_PASSWORD, sign_in::SignedIn},
    http::oauth2::{
        browser::{Browser, explained, status_of},
        login::HOME,
    },
};

const TITLE: &str = "Change your password";

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    password: String,
    new_password: String,
    #[serde(default)]
    sign_out: Option<String>,
}

/// The form that changes it.
pub(super) fn page(browser: &Browser, signed_in: &SignedIn, refused: Option<&ServiceError>) -> Response {
    if !browser.app.has_changeable_password(&browser.visitor, signed_in) {
        return browser.show(
            StatusCode::NOT_FOUND,
            TITLE,
            html! { p role="alert" { "Your account has no password here." } (back()) },
        );
    }
    let body = html! {
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/account/password" id="password-form" {
            (browser.form_token())
            input type="hidden" name="user" value=(signed_in.user_id) autocomplete="username";
            label for="password" { "Your password" }
            input type="password" id="password" name="password" required autocomplete="current-password";
            label for="new_password" { "New password, at least " (MIN_PASSWORD) " characters" }
            input type="password" id="new_password" name="new_password" required minlength=(MIN_PASSWORD) autocomplete="new-password";
            label for="sign_out" { input type="checkbox" id="sign_out" name="sign_out" value="yes"; " Sign out all devices" }
            button id="change" { "Change password" }
        }
        (back())
    };
    browser.show(refused.map_or(StatusCode::OK, status_of), TITLE, body)
}

/// Changes it. Other browsers that are signed in are so no more.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let wish = NewPassword { old: fields.password, new: fields.new_password, sign_out: fields.sign_out.is_some() };
    match browser.app.change_password_on_page(&browser.visitor, signed_in, wish).await {
        Ok(cookie) => browser.send_signed_in(&cookie, HOME),
        Err(error) => page(&browser, signed_in, Some(&error)),
    }
}
