//! GET and POST `/oauth2/link`: somebody types the code of a device, and decides about it (RFC 8628, section 3.3).

use axum::{
    Form,
    extract::{Query, rejection::FormRejection},
    response::Response,
};
use banyan_core::ServiceError;
use banyan_proto::users::OauthClientRow;
use http::{StatusCode, Uri};
use maud::html;
use serde::Deserialize;
use url::form_urlencoded;

use super::{browser::Browser, login};
use crate::app::{
    limits::Kind,
    oauth::{
        client::{shown_host, shown_name},
        sign_in::SignedIn,
    },
};

const TITLE: &str = "Sign in on a device";

/// The query.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    user_code: String,
}

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    user_code: String,
    decision: String,
}

/// Asks for the code; with one, asks about its device.
pub(crate) async fn get(browser: Browser, uri: Uri, params: Query<Params>) -> Response {
    let Some(signed_in) = &browser.signed_in else {
        return browser.send_to(&login::address(uri.path_and_query().map_or("/oauth2/link", |path| path.as_str())));
    };
    let code = params.user_code.trim();
    if code.is_empty() {
        return ask_for_code(&browser, None);
    }
    match find(&browser, code).await {
        Ok(Some(client)) => ask(&browser, signed_in, &client, code),
        Ok(None) => {
            ask_for_code(&browser, Some("This code is not known, or is over. Please check it, or start anew on your device."))
        }
        Err(error) => browser.tell_error(&error),
    }
}

/// Takes the decision.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    let Some(signed_in) = &browser.signed_in else { return browser.send_to(&login::address("/oauth2/link")) };
    let allowed = fields.decision == "allow";
    let user_id = allowed.then_some(&*signed_in.user_id);
    match browser.app.decide_device(&browser.visitor, &fields.user_code, user_id).await {
        Ok(true) if allowed => browser.tell(StatusCode::OK, "Your device is signed in", "You may close this page and go on there."),
        Ok(true) => browser.tell(StatusCode::OK, "Your device is not signed in", "You may close this page."),
        Ok(false) => ask_for_code(&browser, Some("The device does not wait any more. Please start anew there.")),
        Err(error) => browser.tell_error(&error),
    }
}

/// The address of this page with a code.
fn address(code: &str) -> String {
    format!("/oauth2/link?{}", form_urlencoded::Serializer::new(String::new()).append_pair("user_code", code).finish())
}

/// What waits under a code. Whoever guesses is slowed down.
async fn find(browser: &Browser, code: &str) -> Result<Option<OauthClientRow>, ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.limits.check(visitor.tenant.name(), Kind::Login, &visitor.address.to_string())?;
    app.waiting_device(visitor, code).await
}

fn ask_for_code(browser: &Browser, wrong: Option<&str>) -> Response {
    let body = html! {
        @if let Some(wrong) = wrong { p.wrong role="alert" id="error" tabindex="-1" autofocus { (wrong) } }
        form method="get" action="/oauth2/link" id="code-form" {
            label for="user_code" { "The code that your device shows" }
            input.code type="text" id="user_code" name="user_code" required maxlength="16" autocomplete="off" autocapitalize="characters" spellcheck="false";
            p { button id="go-on" { "Go on" } }
        }
    };
    let status = if wrong.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    browser.show(status, TITLE, body)
}

fn ask(browser: &Browser, signed_in: &SignedIn, client: &OauthClientRow, code: &str) -> Response {
    let (name, host) = (shown_name(client), shown_host(client));
    let body = html! {
        p { strong id="app" { (name) } " (" span id="app-host" { (host) } ") on a device wants to use your account " strong id="user" { (signed_in.user_id) } "." }
        p { "The device must show this code:" }
        p.code id="shown-code" { (code) }
        p { "It will be able to read and send messages, and to see and change your profile, contacts and settings." }
        p.notice { "Only go on if you started this yourself, on a device of yours. Nobody who asks you to open this page means you well." }
        form method="post" action="/oauth2/link" id="device-form" {
            (browser.form_token())
            input type="hidden" name="user_code" value=(code);
            button id="allow" name="decision" value="allow" { "Allow" }
            button.quiet id="deny" name="decision" value="deny" { "Cancel" }
        }
        form method="post" action="/oauth2/logout" {
            (browser.form_token())
            input type="hidden" name="next" value=(address(code));
            p.note { "Not you? " button.quiet id="switch" { "Use another account" } }
        }
    };
    browser.show(StatusCode::OK, TITLE, body)
}
