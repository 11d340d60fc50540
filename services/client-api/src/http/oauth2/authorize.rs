//! GET and POST `/oauth2/authorize`: an app asks to be let in, and somebody decides (RFC 6749, section 3.1).

use axum::{
    Form,
    extract::{
        Query,
        rejection::{FormRejection, QueryRejection},
    },
    response::Response,
};
use http::{StatusCode, Uri};
use maud::html;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{browser::Browser, create, login};
use crate::app::oauth::{
    authorize::{Asked, AuthorizationRequest, NotAsked, Prompt},
    client::{shown_host, shown_name},
    redirect_uri::policy_source,
    sign_in::SignedIn,
};

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    decision: String,
}

type Request = Result<Query<AuthorizationRequest>, QueryRejection>;

/// Asks whoever is signed in; everybody else signs in first.
pub(crate) async fn get(browser: Browser, uri: Uri, request: Request) -> Response {
    let asked = match check(&browser, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    // What was wanted is shown once: whoever comes back from there has seen it.
    let again = without_prompt(&uri);
    match (asked.prompt, &browser.signed_in) {
        (Some(Prompt::Create), _) => browser.send_to(&create::address(&again)),
        (Some(Prompt::Login), _) => browser.send_to(&login::address(&again)),
        (Some(Prompt::None), Some(_)) => browser.send_to(&asked.needs("consent_required")),
        (Some(Prompt::None), None) => browser.send_to(&asked.needs("login_required")),
        (None, Some(signed_in)) => page(&browser, &asked, signed_in, &uri),
        (None, None) => browser.send_to(&login::address(&again)),
    }
}

/// Takes the decision.
pub(crate) async fn post(browser: Browser, uri: Uri, request: Request, form: Result<Form<Fields>, FormRejection>) -> Response {
    let asked = match check(&browser, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    let Some(signed_in) = &browser.signed_in else {
        return browser.send_to(&login::address(&without_prompt(&uri)));
    };
    match fields.decision.as_str() {
        "allow" => match browser.app.allow_authorization(&browser.visitor, asked, &signed_in.user_id).await {
            Ok(location) => browser.send_to(&location),
            Err(error) => browser.tell_error(&error),
        },
        _ => browser.send_to(&asked.deny()),
    }
}

async fn check(browser: &Browser, request: Request) -> Result<Asked, Response> {
    const TITLE: &str = "You cannot sign in to this app";
    let Ok(Query(request)) = request else {
        return Err(browser.tell(StatusCode::BAD_REQUEST, TITLE, "The app asked for it in a way that cannot be understood."));
    };
    match browser.app.check_authorization(&browser.visitor, request).await {
        Ok(Ok(asked)) => Ok(asked),
        Ok(Err(NotAsked::Page(text))) => Err(browser.tell(StatusCode::BAD_REQUEST, TITLE, text)),
        Ok(Err(NotAsked::Redirect(location))) => Err(browser.send_to(&location)),
        Err(error) => Err(browser.tell_error(&error)),
    }
}

fn page(browser: &Browser, asked: &Asked, signed_in: &SignedIn, uri: &Uri) -> Response {
    let here = uri.path_and_query().map_or("/oauth2/authorize", |path| path.as_str());
    let (name, host) = (shown_name(&asked.client), shown_host(&asked.client));
    let target = Url::parse(asked.redirect_uri()).ok();
    let target = target.as_ref().and_then(Url::host_str).filter(|target| *target != host);
    let body = html! {
        p { strong id="app" { (name) } " (" span id="app-host" { (host) } ") wants to use your account " strong id="user" { (signed_in.user_id) } "." }
        p { "It will be able to:" }
        ul {
            li { "read and send messages, and everything else that you can do in rooms" }
            li { "see and change your profile, contacts and settings" }
        }
        @if let Some(target) = target { p.note { "You will be sent to " strong { (target) } "." } }
        (documents(asked))
        p.notice { "Only go on if you trust this app. It is not checked by " (browser.visitor.tenant.name()) "." }
        form method="post" action=(here) id="consent-form" {
            (browser.form_token())
            button id="allow" name="decision" value="allow" { "Allow" }
            button.quiet id="deny" name="decision" value="deny" { "Cancel" }
        }
        form method="post" action="/oauth2/logout" {
            (browser.form_token())
            input type="hidden" name="next" value=(without_prompt(uri));
            p.note { "Not you? " button.quiet id="switch" { "Use another account" } }
        }
    };
    let title = format!("Sign in to {name}?");
    browser.show_with_forms_to(StatusCode::OK, &title, body, &policy_source(asked.redirect_uri()))
}

/// What an app wants to be read ("the server SHOULD show or link to this URL").
fn documents(asked: &Asked) -> maud::Markup {
    let client = &asked.client;
    html! {
        @if !client.policy_uri.is_empty() || !client.tos_uri.is_empty() {
            p.note {
                @if !client.policy_uri.is_empty() { a href=(client.policy_uri) rel="noreferrer" target="_blank" { "Privacy policy" } " " }
                @if !client.tos_uri.is_empty() { a href=(client.tos_uri) rel="noreferrer" target="_blank" { "Terms of service" } }
                " of the app"
            }
        }
    }
}

/// This request without its prompt.
fn without_prompt(uri: &Uri) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != "prompt");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/oauth2/authorize?{query}")
}
