//! GET `/oauth2/sso` and `/oauth2/sso/callback`, POST `/oauth2/sso/account`: signing in through an upstream provider.

use axum::{
    Form,
    extract::{Path, Query, rejection::FormRejection},
    response::Response,
};
use banyan_core::{ErrorCode, ServiceError};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    browser::{Browser, explained, own_page, status_of},
    login::{self, HOME},
};
use crate::app::{
    limits::Kind,
    oauth::{
        create::policies,
        sso::{Answer, Returned},
    },
};

const TITLE: &str = "Sign in";

/// The query of somebody who sets out.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    next: String,
}

/// The form of a user name.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    form: String,
    username: String,
    #[serde(default)]
    accept: Option<String>,
}

/// Where somebody sets out to a provider from, to go on at `next`.
pub(crate) fn address(provider: &str, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("provider", provider).append_pair("next", next);
    format!("/oauth2/sso?{}", query.finish())
}

/// Sends somebody to a provider.
pub(crate) async fn get(browser: Browser, params: Query<Params>) -> Response {
    let next = own_page(&params.next).unwrap_or(HOME);
    match set_out(&browser, &params.provider, next).await {
        Ok(location) => browser.send_to(&location),
        Err(error) if error.code == ErrorCode::NotFound => browser.tell(StatusCode::NOT_FOUND, TITLE, &explained(&error)),
        Err(error) => browser.tell_error(&error),
    }
}

/// Takes somebody back.
pub(crate) async fn callback(browser: Browser, Path(provider): Path<String>, Query(answer): Query<Answer>) -> Response {
    match browser.app.return_from_sso(&browser.visitor, &provider, answer, browser.cookie()).await {
        Ok(returned) => go_on(&browser, returned),
        Err(error) if error.code == ErrorCode::Forbidden => start_again(&browser, StatusCode::FORBIDDEN, &explained(&error), HOME),
        Err(error) => browser.tell_error(&error),
    }
}

/// Makes an account under the user name that somebody chose.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    if !policies(&browser.visitor.tenant).is_empty() && fields.accept.is_none() {
        let refused = ServiceError::invalid_param("The policies were not accepted");
        return choose_name(&browser, &fields.form, &fields.username, Some(&refused));
    }
    let username = fields.username.trim();
    match browser.app.choose_sso_name(&browser.visitor, &fields.form, username, browser.cookie()).await {
        Ok(Ok(returned)) => go_on(&browser, returned),
        Ok(Err((refused, form))) => choose_name(&browser, &form, username, Some(&refused)),
        Err(error) => browser.tell_error(&error),
    }
}

async fn set_out(browser: &Browser, provider: &str, next: &str) -> Result<String, ServiceError> {
    let (app, visitor) = (&browser.app, &browser.visitor);
    app.limits.check(visitor.tenant.name(), Kind::Login, &visitor.address.to_string())?;
    app.begin_sso(visitor, provider, next, browser.cookie()).await
}

fn go_on(browser: &Browser, returned: Returned) -> Response {
    match returned {
        Returned::SignedIn { cookie, next } => browser.send_signed_in(&cookie, own_page(&next).unwrap_or(HOME)),
        Returned::ChooseName { form, proposal } => choose_name(browser, &form, &proposal, None),
        Returned::Refused { next } => {
            start_again(browser, StatusCode::FORBIDDEN, "You were not signed in there.", own_page(&next).unwrap_or(HOME))
        }
        Returned::Unknown => {
            start_again(browser, StatusCode::BAD_REQUEST, "This took too long, or began in another browser.", HOME)
        }
    }
}

fn start_again(browser: &Browser, status: StatusCode, text: &str, next: &str) -> Response {
    browser.show(
        status,
        TITLE,
        html! { p role="alert" { (text) } p { a id="again" href=(login::address(next)) { "Start again" } } },
    )
}

fn choose_name(browser: &Browser, form: &str, proposal: &str, refused: Option<&ServiceError>) -> Response {
    let policies = policies(&browser.visitor.tenant);
    let body = html! {
        p { "You are new on " strong { (browser.visitor.tenant.name()) } ". Which user name do you want to have? It cannot be changed later." }
        @if let Some(error) = refused { p.wrong role="alert" id="error" tabindex="-1" autofocus { (explained(error)) } }
        form method="post" action="/oauth2/sso/account" id="name-form" {
            (browser.form_token())
            input type="hidden" name="form" value=(form);
            label for="username" { "User name" }
            input type="text" id="username" name="username" value=(proposal) required autocomplete="username" autocapitalize="none" spellcheck="false";
            (documents(&policies))
            p { button id="create" { "Create account" } }
        }
    };
    browser.show(refused.map_or(StatusCode::OK, status_of), "Choose a user name", body)
}

fn documents(policies: &[(String, String)]) -> Markup {
    html! {
        @if !policies.is_empty() {
            p { "Please read these first:" }
            ul { @for (name, url) in policies { li { a href=(url) rel="noreferrer" target="_blank" { (name) } } } }
            label for="accept" { input type="checkbox" id="accept" name="accept" value="yes" required; " I accept them" }
        }
    }
}
