//! GET and POST `/auth/{authType}/fallback/web`: a stage of user-interactive authentication in a browser.

use std::fmt::Write as _;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::{IntoResponse as _, Response},
};
use banyan_core::ErrorCode;
use banyan_http::{MatrixError, Path, Query};
use banyan_tenants::config::PolicyConfig;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::{
    app::{
        App,
        oauth::{self, account::confirm_address},
        uia::{
            Auth,
            fallback::{self, Page as Step},
            stage,
        },
    },
    http::{
        extract::Anyone,
        pages::{Page, escape, is_cross_site},
    },
};

/// What the specification has the page run when the stage is passed.
const DONE: &str = "if(window.onAuthDone){window.onAuthDone()}else if(window.opener&&window.opener.postMessage){\
window.opener.postMessage(\"authDone\",\"*\")}";

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    session: String,
}

/// The fields of the forms. The session id is the secret that another site's form would lack.
#[derive(Deserialize)]
pub(crate) struct Fields {
    session: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

/// Shows the stage's form.
pub(crate) async fn get(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Path(stage): Path<String>,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    let step = app.uia_page(&visitor, &stage, &params.session, None).await?;
    if stage == stage::SSO && matches!(step, Step::Form { .. }) {
        // Whoever is not signed in there does so first, through the provider.
        let page = confirm_address(oauth::base(&visitor)?, &params.session);
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, page)], [(header::CACHE_CONTROL, "no-store")]).into_response());
    }
    Ok(render(&app, &stage, &params.session, step))
}

/// Takes the stage's form.
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Path(stage): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Response, MatrixError> {
    let fields = match form {
        Ok(Form(fields)) if !is_cross_site(&headers) && stage != stage::SSO => fields,
        _ => return Ok(message(&app, StatusCode::BAD_REQUEST, "This form cannot be read. Please go back and try again.")),
    };
    let auth = Auth { token: fields.token, user: fields.user, password: fields.password, ..Auth::default() };
    let step = match app.uia_page(&visitor, &stage, &fields.session, Some(auth)).await {
        Ok(step) => step,
        Err(error) if error.code == ErrorCode::Overloaded => {
            return Ok(message(&app, StatusCode::TOO_MANY_REQUESTS, "Too many tries. Please wait a little."));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(render(&app, &stage, &fields.session, step))
}

fn render(app: &App, stage: &str, session: &str, step: Step) -> Response {
    match step {
        Step::Unknown if fallback::has_page(stage) => {
            message(app, StatusCode::NOT_FOUND, "This session is over. Please go back to your app and begin again.")
        }
        Step::Unknown => message(app, StatusCode::NOT_FOUND, "This step has no page here."),
        Step::NotYet => message(app, StatusCode::BAD_REQUEST, "Another step comes first. Please go back to your app."),
        Step::Passed => Page {
            status: StatusCode::OK,
            title: "Thank you",
            body: "<p>You may now close this window and return to your app.</p>".to_owned(),
            script: Some(DONE),
        }
        .answer(&*app.entropy),
        Step::Form { policies, refused } => {
            let status = if refused.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
            let wrong = refused
                .map(|error| format!("<p class=\"wrong\" role=\"alert\" tabindex=\"-1\" autofocus>{}</p>", escape(&error.message)))
                .unwrap_or_default();
            let body = format!(
                "{wrong}<form method=\"post\"><input type=\"hidden\" name=\"session\" value=\"{}\">{}</form>",
                escape(session),
                fields(stage, &policies)
            );
            Page { status, title: "Authentication", body, script: None }.answer(&*app.entropy)
        }
    }
}

fn fields(stage: &str, policies: &[PolicyConfig]) -> String {
    match stage {
        stage::TERMS => {
            let mut list = String::new();
            for document in policies.iter().flat_map(|policy| &policy.documents) {
                // Writing to a string cannot fail.
                let _ = write!(
                    list,
                    "<li><a href=\"{}\" rel=\"noreferrer\" target=\"_blank\" hreflang=\"{}\">{}</a></li>",
                    escape(&document.url),
                    escape(&document.language),
                    escape(&document.name)
                );
            }
            format!("<p>Please read these first:</p><ul>{list}</ul><button>I accept</button>")
        }
        stage::TOKEN => "<label>Registration token<input type=\"text\" name=\"token\" required maxlength=\"64\" \
             autocomplete=\"off\"></label><button>Go on</button>"
            .to_owned(),
        stage::PASSWORD => "<label>User name<input type=\"text\" name=\"user\" required autocomplete=\"username\"></label>\
             <label>Password<input type=\"password\" name=\"password\" required autocomplete=\"current-password\"></label>\
             <button>Confirm</button>"
            .to_owned(),
        _ => "<p>Nothing more is needed.</p><button>Go on</button>".to_owned(),
    }
}

fn message(app: &App, status: StatusCode, text: &str) -> Response {
    let body = format!("<p>{}</p>", escape(text));
    Page { status, title: "Authentication", body, script: None }.answer(&*app.entropy)
}
