//! GET and POST `/oauth2/create`: making an account.

use axum::{
    Form,
    extract::{Query, rejection::FormRejection},
    response::Response,
};
use banyan_core::{ErrorCode, ServiceError};
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use url::form_urlencoded;

use super::browser::{Browser, explained, own_page, status_of};
use crate::{
    app::{
        limits::Kind,
        oauth::create::{MIN_PASSWORD, NewAccount, is_open, policies, token_wanted},
    },
    http::oauth2::login,
};

/// The query.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    next: String,
}

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(default)]
    next: String,
    username: String,
    password: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    accept: Option<String>,
}

/// The address of this page, for somebody who goes on at `next` afterwards.
pub(crate) fn address(next: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/oauth2/create?{query}")
}

/// Shows the form, where the tenant lets people make accounts so.
pub(crate) async fn get(browser: Browser, params: Query<Params>) -> Response {
    page(&browser, &params.next, "", None)
}

/// Makes the account, and signs in to it.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    let (next, username) = (fields.next, fields.username.trim().to_owned());
    let accepted = fields.accept.is_some();
    let wish = NewAccount { username: username.clone(), password: fields.password, token: fields.token, accepted };
    match create(&browser, wish).await {
        Ok(cookie) => browser.send_signed_in(&cookie, own_page(&next).unwrap_or(login::HOME)),
        Err(error) => match error.code {
            ErrorCode::Unavailable | ErrorCode::Unknown | ErrorCode::Internal => browser.tell_error(&error),
            _ => page(&browser, &next, &username, Some(&error)),
        },
    }
}

async fn create(browser: &Browser, wish: NewAccount) -> Result<String, ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.limits.check(visitor.tenant.name(), Kind::Registration, &visitor.address.to_string())?;
    app.create_account(visitor, wish).await
}

fn page(browser: &Browser, next: &str, username: &str, refused: Option<&ServiceError>) -> Response {
    let tenant = &browser.visitor.tenant;
    let next = own_page(next).unwrap_or(login::HOME);
    if !is_open(tenant) {
        return browser.tell(StatusCode::FORBIDDEN, "Create an account", "No accounts are made on this page.");
    }
    let (token_wanted, token_needed) = token_wanted(tenant);
    let policies = policies(tenant);
    let body = html! {
        p { "A new account on " strong { (tenant.name()) } }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/create" id="create-form" {
            (browser.form_token())
            input type="hidden" name="next" value=(next);
            label for="username" { "User name" }
            input type="text" id="username" name="username" value=(username) required autocomplete="username" autocapitalize="none" spellcheck="false";
            label for="password" { "Password, at least " (MIN_PASSWORD) " characters" }
            input type="password" id="password" name="password" required minlength=(MIN_PASSWORD) autocomplete="new-password";
            @if token_wanted {
                label for="token" { "Registration token" @if !token_needed { " (if you have one)" } }
                input type="text" id="token" name="token" required[token_needed] maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            @if !policies.is_empty() {
                p { "Please read these first:" }
                ul { @for (name, url) in &policies { li { a href=(url) rel="noreferrer" target="_blank" { (name) } } } }
                label for="accept" { input type="checkbox" id="accept" name="accept" value="yes" required; " I accept them" }
            }
            p { button id="create" { "Create account" } }
        }
        p { "You have an account? " a id="sign-in-instead" href=(login::address(next)) { "Sign in" } }
    };
    let status = refused.map_or(StatusCode::OK, status_of);
    browser.show(status, "Create an account", body)
}
