//! GET and POST `/_banyan/client/v1/email/confirm`: where the links in mails lead. Programs that check mails open links, so looking at the
//! page does nothing: a person presses the button.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use banyan_http::{MatrixError, Query};
use banyan_users::validation::{Confirmation, Purpose};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;

use super::{
    extract::Anyone,
    pages::{Page, escape, is_cross_site},
};
use crate::app::{App, caller::Visitor};

const TITLE: &str = "Your e-mail address";

/// The query, and the fields of the form. The token is the secret that another site's form would lack.
#[derive(Deserialize)]
pub(crate) struct Params {
    sid: String,
    token: String,
}

/// Asks.
pub(crate) async fn get(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    let found = app.email_link(&visitor, &params.sid, &params.token, false).await?;
    Ok(render(&app, &visitor, &params, found))
}

/// Takes the answer.
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    headers: HeaderMap,
    form: Result<Form<Params>, FormRejection>,
) -> Result<Response, MatrixError> {
    let params = match form {
        Ok(Form(params)) if !is_cross_site(&headers) => params,
        _ => return Ok(page(&app, StatusCode::BAD_REQUEST, words("This form cannot be read. Please open the link again."))),
    };
    let found = app.email_link(&visitor, &params.sid, &params.token, true).await?;
    Ok(render(&app, &visitor, &params, found))
}

fn render(app: &App, visitor: &Visitor, params: &Params, found: Option<Confirmation>) -> Response {
    match found {
        None => page(app, StatusCode::NOT_FOUND, words("This link is over. Please go back to your app and ask for another mail.")),
        Some(found) if found.confirmed => page(app, StatusCode::OK, thanks(&found)),
        Some(found) => page(app, StatusCode::OK, question(visitor.server_name(), params, &found)),
    }
}

fn question(server: &str, params: &Params, found: &Confirmation) -> String {
    let (address, server) = (escape(&found.address), escape(server));
    let (asked, button) = match found.purpose {
        Purpose::Register => (format!("Is {address} yours, and are you making an account on {server}?"), "Yes, confirm it"),
        Purpose::Add => (format!("Is {address} yours, and is it to belong to your account on {server}?"), "Yes, confirm it"),
        Purpose::Reset => (
            format!(
                "Do you want to set a new password for the account on {server} that has the address {address}? If you did not ask for \
                 this, close this page."
            ),
            "Yes, allow it",
        ),
    };
    format!(
        "<p>{asked}</p><form method=\"post\" action=\"?\"><input type=\"hidden\" name=\"sid\" value=\"{}\"><input type=\"hidden\" \
         name=\"token\" value=\"{}\"><button>{button}</button></form>",
        escape(&params.sid),
        escape(&params.token)
    )
}

/// A client's page to go on with is a link that says where it leads, not a redirect: whoever asked for the mail chose it.
fn thanks(found: &Confirmation) -> String {
    let mut body = words("Thank you, this is confirmed. You may now close this window and go on in your app.");
    let host = found.next_link.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    if let Some(host) = host {
        let link = escape(&found.next_link);
        body.push_str(&format!("<p><a href=\"{link}\" rel=\"noreferrer\">Go on to {}</a></p>", escape(&host)));
    }
    body
}

fn words(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

fn page(app: &App, status: StatusCode, body: String) -> Response {
    Page { status, title: TITLE, body, script: None }.answer(&*app.entropy)
}
