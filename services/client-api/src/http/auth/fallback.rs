//! GET and POST `/auth/{authType}/fallback/web`: a stage of user-interactive authentication in a browser.

use std::fmt::Write as _;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::{IntoResponse as _, Response},
};
use banyan_core::ErrorCode;
use banyan_http::{MatrixError, Path, Query};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::{
    app::{
        App,
        oauth::{self, account::confirm_address},
        threepids::Credentials,
        uia::{
            Auth,
            fallback::{self, Form as Asked, Page as Step},
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
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default, rename = "g-recaptcha-response")]
    captcha: Option<String>,
}

impl Fields {
    fn step(self) -> fallback::Step {
        let sent = self.sid.zip(self.client_secret).map(|(sid, client_secret)| Credentials { sid, client_secret });
        let (token, user, password) = (self.token, self.user, self.password);
        let auth = Auth { token, user, password, response: self.captcha, threepid_creds: sent, ..Auth::default() };
        fallback::Step { auth, email: self.email }
    }
}

/// Shows the stage's form.
pub(crate) async fn get(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Path(stage): Path<String>,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    let step = app.uia_page(&visitor, &stage, &params.session, None).await?;
    if stage == stage::SSO && matches!(step, Step::Form(_)) {
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
    let session = fields.session.clone();
    let step = match app.uia_page(&visitor, &stage, &session, Some(fields.step())).await {
        Ok(step) => step,
        Err(error) if error.code == ErrorCode::Unavailable => {
            return Ok(message(
                &app,
                StatusCode::SERVICE_UNAVAILABLE,
                "This does not work just now. Please go back and try again.",
            ));
        }
        Err(error) if error.code == ErrorCode::Overloaded => {
            return Ok(message(&app, StatusCode::TOO_MANY_REQUESTS, "Too many tries. Please wait a little."));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(render(&app, &stage, &session, step))
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
        Step::Form(asked) => form(app, stage, session, *asked),
    }
}

fn form(app: &App, stage: &str, session: &str, asked: Asked) -> Response {
    let status = if asked.refused.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    let refused = asked.refused.as_ref();
    let wrong = refused
        .map(|error| format!("<p class=\"wrong\" role=\"alert\" tabindex=\"-1\" autofocus>{}</p>", escape(&error.message)))
        .unwrap_or_default();
    let body = format!("{wrong}<form method=\"post\">{}{}</form>", hidden("session", session), fields(stage, &asked));
    let page = Page { status, title: "Authentication", body, script: None };
    match asked.recaptcha {
        Some(recaptcha) => page.answer_with_captcha(&*app.entropy, &recaptcha.service_url),
        None => page.answer(&*app.entropy),
    }
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn fields(stage: &str, asked: &Asked) -> String {
    match stage {
        stage::TERMS => {
            let mut list = String::new();
            for document in asked.policies.iter().flat_map(|policy| &policy.documents) {
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
        stage::EMAIL => match &asked.sent {
            Some(sent) => format!(
                "<p>A mail is on its way. Please open the link in it, press the button there, and then this one.</p>{}{}\
                 <button>I have confirmed it</button>",
                hidden("sid", &sent.sid),
                hidden("client_secret", &sent.client_secret)
            ),
            None => "<label>E-mail address<input type=\"email\" name=\"email\" required autocomplete=\"email\"></label>\
                 <button>Send me a mail</button>"
                .to_owned(),
        },
        stage::RECAPTCHA => format!(
            "<noscript><p>This step needs JavaScript.</p></noscript><div class=\"g-recaptcha\" data-sitekey=\"{}\"></div>\
             <p><button>Go on</button></p>",
            asked.recaptcha.as_ref().map(|recaptcha| escape(&recaptcha.public_key)).unwrap_or_default()
        ),
        _ => "<p>Nothing more is needed.</p><button>Go on</button>".to_owned(),
    }
}

fn message(app: &App, status: StatusCode, text: &str) -> Response {
    let body = format!("<p>{}</p>", escape(text));
    Page { status, title: "Authentication", body, script: None }.answer(&*app.entropy)
}
