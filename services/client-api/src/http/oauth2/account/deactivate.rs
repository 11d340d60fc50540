//! Ending an account on the account pages: POST `/oauth2/account/deactivate`.

use axum::{Form, extract::rejection::FormRejection, response::Response};
use banyan_core::ServiceError;
use http::StatusCode;
use maud::html;
use serde::Deserialize;

use super::{back, form};
use crate::{
    app::oauth::sign_in::SignedIn,
    http::oauth2::browser::{Browser, explained, status_of},
};

const TITLE: &str = "Deactivate your account";

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    erase: Option<String>,
    /// That it is meant: without a password to type, a button is pressed too easily.
    #[serde(default)]
    sure: Option<String>,
}

/// The form that ends it.
pub(super) fn page(browser: &Browser, signed_in: &SignedIn, refused: Option<&ServiceError>) -> Response {
    let body = html! {
        p.notice { strong { "This cannot be taken back." } " " (signed_in.user_id) " leaves all rooms, all devices are signed out, and nobody can have this user name again." }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/account/deactivate" id="deactivate-form" {
            (browser.form_token())
            @if signed_in.has_password {
                label for="password" { "Your password" }
                input type="password" id="password" name="password" required autocomplete="current-password";
            }
            label for="erase" { input type="checkbox" id="erase" name="erase" value="yes"; " Hide my messages from people who have not seen them yet" }
            label for="sure" { input type="checkbox" id="sure" name="sure" value="yes" required; " I want to end my account for good" }
            button.danger id="deactivate" { "Deactivate" }
        }
        (back())
    };
    browser.show(refused.map_or(StatusCode::OK, status_of), TITLE, body)
}

/// Ends it.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    if fields.sure.is_none() {
        return page(&browser, signed_in, Some(&ServiceError::invalid_param("Please say that you are sure")));
    }
    match deactivate(&browser, signed_in, fields).await {
        Ok(()) => browser.tell(StatusCode::OK, "Your account is deactivated", "You may close this page."),
        Err(error) => page(&browser, signed_in, Some(&error)),
    }
}

async fn deactivate(browser: &Browser, signed_in: &SignedIn, fields: Fields) -> Result<(), ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.prove_again(visitor, signed_in, fields.password).await?;
    app.deactivate_now(&signed_in.requester(visitor), visitor.request_id, fields.erase.is_some()).await
}
