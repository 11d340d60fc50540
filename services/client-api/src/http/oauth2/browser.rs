//! A person's browser: the cookie that it has, who is signed in, and the pages that it is shown.
//!
//! Every form has a token that follows from the cookie, and the cookie changes when somebody signs in. So no other site can send a form,
//! and no form that was shown to one person is sent as another.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use banyan_core::{ErrorCode, ServiceError};
use banyan_http::MatrixError;
use banyan_users::browser::{BrowserSessions, form_token, form_token_fits};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use maud::{Markup, html};

use crate::{
    app::{App, caller::Visitor, oauth, oauth::sign_in::SignedIn},
    http::pages::{Page, is_cross_site},
};

/// The cookie's name; with a prefix that browsers hold to its promise where the server is reached by HTTPS.
const COOKIE: [&str; 2] = ["banyan_session", "__Host-banyan_session"];

/// Whoever looks at a page.
pub(crate) struct Browser {
    pub(crate) app: App,
    pub(crate) visitor: Visitor,
    pub(crate) signed_in: Option<SignedIn>,
    cookie: String,
    /// The browser does not have the cookie yet.
    fresh: bool,
    secure: bool,
    cross_site: bool,
}

impl FromRequestParts<App> for Browser {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, MatrixError> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        let visitor = visitor.ok_or_else(|| MatrixError::internal("a page without its guard"))?;
        let secure = oauth::base(&visitor)?.starts_with("https:");
        let known = cookie(&parts.headers, COOKIE[usize::from(secure)]);
        let signed_in = match &known {
            Some(cookie) => app.signed_in(&visitor, cookie).await?,
            None => None,
        };
        let (fresh, cookie) = (known.is_none(), known.unwrap_or_else(|| app.browser_sessions.cookie()));
        let cross_site = is_cross_site(&parts.headers);
        Ok(Self { app: app.clone(), visitor, signed_in, cookie, fresh, secure, cross_site })
    }
}

impl Browser {
    /// What the browser is known by.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The field that every form must have.
    pub(crate) fn form_token(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(form_token(&self.cookie)); }
    }

    /// Whether a form is one that this browser was shown.
    pub(crate) fn was_shown(&self, token: &str) -> bool {
        !self.fresh && !self.cross_site && form_token_fits(&self.cookie, token)
    }

    /// A page.
    pub(crate) fn show(&self, status: StatusCode, title: &str, body: Markup) -> Response {
        self.show_with_forms_to(status, title, body, "")
    }

    /// A page whose form ends at `target`: see [`Page::answer_with_forms_to`].
    pub(crate) fn show_with_forms_to(&self, status: StatusCode, title: &str, body: Markup, target: &str) -> Response {
        let page = Page { status, title, body: body.into_string(), script: None };
        let response = page.answer_with_forms_to(&*self.app.entropy, target);
        self.introduce(response)
    }

    /// A page that says one thing.
    pub(crate) fn tell(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.show(status, title, html! { p role="alert" { (text) } })
    }

    /// A page for a form that cannot be taken.
    pub(crate) fn tell_unreadable(&self) -> Response {
        let text = "This form is too old or incomplete. Please go back, load the page again, and send it once more.";
        self.tell(StatusCode::BAD_REQUEST, "Please try again", text)
    }

    /// A page for what went wrong.
    pub(crate) fn tell_error(&self, error: &ServiceError) -> Response {
        let text = match error.code {
            ErrorCode::Internal | ErrorCode::Unavailable | ErrorCode::Unknown | ErrorCode::NotOwner => {
                tracing::warn!(%error, "a page could not be shown");
                "Something did not work on the server. Please try again in a moment."
            }
            _ => &explained(error),
        };
        self.tell(status_of(error), "This did not work", text)
    }

    /// Sends the browser elsewhere. `location` is an address of ours, or one that an app registered.
    pub(crate) fn send_to(&self, location: &str) -> Response {
        self.introduce(self.redirect(location))
    }

    fn redirect(&self, location: &str) -> Response {
        let Ok(location) = HeaderValue::from_str(location) else { return self.tell_unreadable() };
        let mut response = StatusCode::SEE_OTHER.into_response();
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    /// [`Browser::send_to`] with the cookie of whoever signed in just now.
    pub(crate) fn send_signed_in(&self, cookie: &str, location: &str) -> Response {
        self.with_cookie(self.redirect(location), cookie, BrowserSessions::LIFETIME.as_secs())
    }

    /// [`Browser::send_to`] without a cookie, and the session ends.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn send_signed_out(&self, location: &str) -> Result<Response, ServiceError> {
        self.app.browser_sessions.end(&self.cookie).await?;
        Ok(self.with_cookie(self.redirect(location), "", 0))
    }

    /// Gives a browser its cookie that does not have it yet.
    fn introduce(&self, response: Response) -> Response {
        if self.fresh { self.with_cookie(response, &self.cookie, BrowserSessions::LIFETIME.as_secs()) } else { response }
    }

    fn with_cookie(&self, mut response: Response, value: &str, seconds: u64) -> Response {
        let (name, secure) = (COOKIE[usize::from(self.secure)], if self.secure { "; Secure" } else { "" });
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Words for a person about what was refused.
pub(crate) fn explained(error: &ServiceError) -> String {
    match (error.code, error.errcode.as_deref()) {
        (ErrorCode::Overloaded, _) => "Too many tries. Please wait a little.".to_owned(),
        (_, Some("M_USER_LOCKED")) => "This account has been locked.".to_owned(),
        (_, Some("M_USER_IN_USE")) => "This user name is taken.".to_owned(),
        (_, Some("M_INVALID_USERNAME")) => "A user name has only small letters, digits and the characters . _ = - / +".to_owned(),
        _ => format!("{}.", error.message.trim_end_matches('.')),
    }
}

/// The status of a page about an error.
pub(crate) fn status_of(error: &ServiceError) -> StatusCode {
    MatrixError::from(error.clone()).status
}

/// The path and query of one of our own pages, where a form says to go on; `None` for anything else.
pub(crate) fn own_page(next: &str) -> Option<&str> {
    let harmless = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (next.starts_with("/oauth2/") && harmless).then_some(next)
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_come_next() {
        assert_eq!(own_page("/oauth2/authorize?a=b%20c"), Some("/oauth2/authorize?a=b%20c"));
        for other in [
            "",
            "https://evil.org/",
            "//evil.org/oauth2/",
            "/\\evil.org",
            "/oauth2/\\x",
            "/oauth2/\r\nX: y",
            "/_matrix/",
            "oauth2/",
        ] {
            assert_eq!(own_page(other), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("a=1; banyan_session=x; b=2"))]);
        assert_eq!(cookie(&headers, COOKIE[0]).as_deref(), Some("x"));
        assert_eq!(cookie(&headers, COOKIE[1]), None);
    }
}
