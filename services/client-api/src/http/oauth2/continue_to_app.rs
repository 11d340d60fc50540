//! GET and POST `/oauth2/continue`: somebody who is signed in goes back to an app of the legacy API, with a login token (specification:
//! "Client login via SSO").

use axum::{
    Form,
    extract::{Query, rejection::FormRejection},
    response::Response,
};
use http::{StatusCode, Uri};
use maud::html;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{browser::Browser, login};
use crate::app::oauth::redirect_uri::{MAX_URI, policy_source};

const TITLE: &str = "Sign in to an app";
/// Schemes that would run or show something here instead of opening an app.
const NO_APP: [&str; 7] = ["about", "blob", "data", "file", "filesystem", "javascript", "vbscript"];

/// The query.
#[derive(Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default, rename = "redirectUrl")]
    redirect_url: String,
}

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(rename = "redirectUrl")]
    redirect_url: String,
}

/// The address of this page, for an app that wants its users sent to `redirect_url`.
pub(crate) fn address(redirect_url: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("redirectUrl", redirect_url).finish();
    format!("/oauth2/continue?{query}")
}

/// Asks whether the app is meant: any page can send somebody here.
pub(crate) async fn get(browser: Browser, uri: Uri, params: Query<Params>) -> Response {
    let Some(signed_in) = &browser.signed_in else {
        return browser.send_to(&login::address(uri.path_and_query().map_or("/oauth2/continue", |path| path.as_str())));
    };
    let Some(url) = target(&params.redirect_url) else { return unknown(&browser) };
    let app = url.host_str().map_or_else(|| format!("the app for {}:", url.scheme()), str::to_owned);
    let body = html! {
        p { strong id="app" { (app) } " wants to use your account " strong id="user" { (signed_in.user_id) } "." }
        p.notice { "Only go on if you came from there, and trust it: it will be able to do everything that you can do." }
        form method="post" action="/oauth2/continue" id="continue-form" {
            (browser.form_token())
            input type="hidden" name="redirectUrl" value=(params.redirect_url);
            button id="allow" { "Continue" }
        }
        form method="post" action="/oauth2/logout" {
            (browser.form_token())
            input type="hidden" name="next" value=(address(&params.redirect_url));
            p.note { "Not you? " button.quiet id="switch" { "Use another account" } }
        }
    };
    browser.show_with_forms_to(StatusCode::OK, TITLE, body, &policy_source(url.as_str()))
}

/// Sends somebody back to the app.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let (fields, signed_in) = match (form, &browser.signed_in) {
        (Ok(Form(fields)), Some(signed_in)) if browser.was_shown(&fields.csrf) => (fields, signed_in),
        _ => return browser.tell_unreadable(),
    };
    let Some(url) = target(&fields.redirect_url) else { return unknown(&browser) };
    let login = &browser.visitor.tenant.config().login;
    if !(login.legacy && login.token) {
        return unknown(&browser);
    }
    match browser.app.login_tokens.issue(browser.visitor.server_name(), signed_in.user_id.as_str()).await {
        Ok(token) => browser.send_to(&with_token(url, &token)),
        Err(error) => browser.tell_error(&error),
    }
}

fn unknown(browser: &Browser) -> Response {
    browser.tell(StatusCode::BAD_REQUEST, TITLE, "The app does not say where to go on, or nobody is signed in this way here.")
}

/// Where an app wants its users sent.
fn target(redirect_url: &str) -> Option<Url> {
    let url = Url::parse(redirect_url).ok().filter(|_| redirect_url.len() <= MAX_URI)?;
    (!NO_APP.contains(&url.scheme())).then_some(url)
}

/// The address with the token, and without others that it came with.
fn with_token(mut url: Url, token: &str) -> String {
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "loginToken").collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("loginToken", token);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_get_their_token_and_no_other() {
        for (given, expected) in [
            ("https://app.test/?a=b&loginToken=old#/x", "https://app.test/?a=b&loginToken=new#/x"),
            ("http://127.0.0.1:9000/cb", "http://127.0.0.1:9000/cb?loginToken=new"),
            ("element://connect?x=1", "element://connect?x=1&loginToken=new"),
            ("io.element:/cb", "io.element:/cb?loginToken=new"),
        ] {
            assert_eq!(with_token(target(given).unwrap(), "new"), expected);
        }
        for given in ["", "/path", "javascript:alert(1)", "DATA:text/html,x", "file:///etc/passwd"] {
            assert!(target(given).is_none(), "{given}");
        }
    }
}
