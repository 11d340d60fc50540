//! Confirming in a browser what an app of the legacy API is about to do, and POST `/oauth2/account/confirm`, which says so (specification:
//! "SSO during User-Interactive Authentication").

use axum::{Form, extract::rejection::FormRejection, response::Response};
use banyan_core::ServiceError;
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use url::form_urlencoded;

use super::form;
use crate::{
    app::{oauth::sign_in::SignedIn, uia::stage::SSO},
    http::oauth2::browser::{Browser, explained, status_of},
};

const TITLE: &str = "Is it you?";

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    session: String,
}

/// The form that confirms what the request of `session` is to do.
pub(super) async fn page(browser: &Browser, signed_in: &SignedIn, session: &str) -> Result<Response, ServiceError> {
    let waits = browser.app.waiting_for_sso(&browser.visitor, &signed_in.user_id, session).await?;
    let Some(waits) = waits else {
        return Ok(browser.tell(
            StatusCode::NOT_FOUND,
            TITLE,
            "Nothing waits to be confirmed by you. Please begin again in your app.",
        ));
    };
    let body = html! {
        p { "An app wants to do this with your account " strong id="user" { (signed_in.user_id) } ":" }
        p { strong id="what" { (what(waits.endpoint())) } }
        p.notice { "Only go on if you started this yourself just now. If you did not, somebody may be using your account." }
        form method="post" action="/oauth2/account/confirm" id="confirm-form" {
            (browser.form_token())
            input type="hidden" name="session" value=(session);
            button id="confirm" { "Confirm" }
        }
    };
    Ok(browser.show(StatusCode::OK, TITLE, body))
}

/// Confirms it, and goes on to the page that tells the app.
pub(crate) async fn post(browser: Browser, fields: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match form(&browser, fields, |fields: &Fields| &fields.csrf) {
        Ok(form) => form,
        Err(response) => return *response,
    };
    match browser.app.confirm_by_sso(&browser.visitor, &signed_in.user_id, &fields.session).await {
        Ok(()) => {
            let session: String = form_urlencoded::byte_serialize(fields.session.as_bytes()).collect();
            browser.send_to(&format!("/_matrix/client/v3/auth/{SSO}/fallback/web?session={session}"))
        }
        Err(error) => browser.tell(status_of(&error), TITLE, &explained(&error)),
    }
}

/// What an endpoint does, for people.
fn what(endpoint: &str) -> &'static str {
    match endpoint.rsplit('/').next().unwrap_or_default() {
        "deactivate" => "End your account for good",
        "delete_devices" | "{deviceId}" => "Sign out devices",
        "get_token" => "Let another device sign in",
        "upload" => "Replace the keys that prove to others who you are",
        "password" => "Change your password",
        _ => "Change what identifies you",
    }
}
