//! Letting an app replace the cross-signing keys: POST `/oauth2/account/cross_signing_reset` (specification: "OAuth authentication").

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

const TITLE: &str = "Reset your identity?";

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    session: String,
}

/// The form that approves it, for the request of `session` or, where that is empty, for the next one.
pub(super) fn page(browser: &Browser, signed_in: &SignedIn, session: &str, refused: Option<&ServiceError>) -> Response {
    let body = html! {
        p { "An app wants to replace the keys that prove to others who " strong { (signed_in.user_id) } " is." }
        ul {
            li { "Everybody you know will be told that your identity changed." }
            li { "You have to verify your other devices again." }
            li { "Without a backup, older messages cannot be read any more." }
        }
        p.notice { "Only go on if you started this yourself just now. If you did not, somebody may be using your account." }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/account/cross_signing_reset" id="reset-form" {
            (browser.form_token())
            input type="hidden" name="session" value=(session);
            @if signed_in.has_password {
                label for="password" { "Your password" }
                input type="password" id="password" name="password" required autocomplete="current-password";
            }
            button.danger id="reset" { "Reset" }
        }
        (back())
    };
    browser.show(refused.map_or(StatusCode::OK, status_of), TITLE, body)
}

/// Approves it.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let session = fields.session.clone();
    match approve(&browser, signed_in, fields).await {
        Ok(()) => {
            browser.tell(StatusCode::OK, "The reset is approved", "Go back to your app within ten minutes: it goes on there.")
        }
        Err(error) => page(&browser, signed_in, &session, Some(&error)),
    }
}

async fn approve(browser: &Browser, signed_in: &SignedIn, fields: Fields) -> Result<(), ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.prove_again(visitor, signed_in, fields.password).await?;
    let session = Some(fields.session.as_str()).filter(|session| !session.is_empty());
    app.oauth_approvals.approve(signed_in.user_id.as_str(), session).await
}
