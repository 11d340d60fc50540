//! GET and POST `/oauth2/login`: signing in.

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
use crate::app::{limits::Kind, oauth::create};

/// Where somebody goes on who came for nothing else.
pub(crate) const HOME: &str = "/oauth2/account";

/// The query.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    next: String,
    #[serde(default)]
    hint: String,
}

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(default)]
    next: String,
    user: String,
    password: String,
}

/// The address of this page, for somebody who goes on at `next` afterwards.
pub(crate) fn address(next: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/oauth2/login?{query}")
}

/// Shows the form.
pub(crate) async fn get(browser: Browser, params: Query<Params>) -> Response {
    page(&browser, &params.next, &params.hint, None)
}

/// Signs in.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    match sign_in(&browser, &fields.user, fields.password).await {
        Ok(cookie) => browser.send_signed_in(&cookie, own_page(&fields.next).unwrap_or(HOME)),
        Err(error) => match error.code {
            ErrorCode::Forbidden | ErrorCode::Unauthenticated | ErrorCode::Overloaded => {
                page(&browser, &fields.next, &fields.user, Some(&error))
            }
            _ => browser.tell_error(&error),
        },
    }
}

async fn sign_in(browser: &Browser, user: &str, password: String) -> Result<String, ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.limits.check(visitor.tenant.name(), Kind::Login, &visitor.address.to_string())?;
    app.sign_in(visitor, user.trim(), password).await
}

fn page(browser: &Browser, next: &str, user: &str, refused: Option<&ServiceError>) -> Response {
    let tenant = &browser.visitor.tenant;
    let next = own_page(next).unwrap_or(HOME);
    let body = html! {
        p { "Your account on " strong { (tenant.name()) } }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        @if tenant.config().login.password {
            form method="post" action="/oauth2/login" id="sign-in-form" {
                (browser.form_token())
                input type="hidden" name="next" value=(next);
                label for="user" { "User name" }
                input type="text" id="user" name="user" value=(user) required autocomplete="username" autocapitalize="none" spellcheck="false";
                label for="password" { "Password" }
                input type="password" id="password" name="password" required autocomplete="current-password";
                p { button id="sign-in" { "Sign in" } }
            }
        }
        @if !tenant.config().sso.is_empty() {
            ul.plain id="providers" {
                @for provider in &tenant.config().sso {
                    li { a.button.quiet id={ "provider-" (provider.id) } href=(super::sso::address(&provider.id, next)) { "Sign in with " (provider.name) } }
                }
            }
        }
        @if create::is_open(tenant) {
            p { "No account yet? " a id="create-account" href=(super::create::address(next)) { "Create an account" } }
        }
    };
    let status = refused.map_or(StatusCode::OK, status_of);
    browser.show(status, "Sign in", body)
}
