//! What an app asks of somebody in their browser, and what it is told (specification: "Authorisation code flow"; RFC 6749, section 4.1).

use banyan_core::ServiceError;
use banyan_proto::users::{OauthClientRow, OauthGrant};
use banyan_users::oauth::NewCode;
use ruma::UserId;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{AUTHORIZATION_CODE, OauthError, base, pkce, redirect_uri, scope::Scope};
use crate::app::{App, caller::Visitor};

/// The query of the request.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct AuthorizationRequest {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    response_mode: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
    request: Option<String>,
    request_uri: Option<String>,
}

/// A request that somebody can decide about.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) client: OauthClientRow,
    pub(crate) scope: Scope,
    pub(crate) prompt: Option<Prompt>,
    client_id: String,
    code_challenge: String,
    callback: Callback,
}

/// What an app wants to be shown (OpenID Connect Core, section 3.1.2.1; "Initiating User Registration").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Nothing: an answer at once.
    None,
    /// The page for signing in, also to somebody who is.
    Login,
    /// The page for making an account.
    Create,
}

/// How an app is answered.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) redirect_uri: String,
    fragment: bool,
    state: Option<String>,
    issuer: String,
}

/// Why nobody is asked.
#[derive(Debug)]
pub(crate) enum NotAsked {
    /// To be told on a page: where to send the browser cannot be known.
    Page(&'static str),
    /// To be told to the app, by sending the browser there.
    Redirect(String),
}

impl App {
    /// Checks a request.
    ///
    /// # Errors
    /// M_UNRECOGNIZED where the tenant has no OAuth 2.0 API; or the store failed.
    pub(crate) async fn check_authorization(
        &self,
        visitor: &Visitor,
        request: AuthorizationRequest,
    ) -> Result<Result<Asked, NotAsked>, ServiceError> {
        let issuer = format!("{}/", base(visitor)?);
        let client_id = request.client_id.clone().unwrap_or_default();
        let Some(client) = self.oauth_clients.find(visitor.server_name(), &client_id).await? else {
            return Ok(Err(NotAsked::Page("The app is not known here. Please go back to it and try again.")));
        };
        let native = client.application_type == "native";
        let fits = |asked: &String| client.redirect_uris.iter().any(|known| redirect_uri::matches(known, asked, native));
        let Some(redirect_uri) = request.redirect_uri.clone().filter(fits) else {
            return Ok(Err(NotAsked::Page("The app wants you to be sent to an address that it did not register.")));
        };
        let fragment = request.response_mode.as_deref() == Some("fragment");
        let callback = Callback { redirect_uri, fragment, state: request.state.clone(), issuer };
        let refused = callback.clone();
        Ok(check(request, client_id, client, callback).map_err(|error| match error {
            OauthError::Refused(error, description) => NotAsked::Redirect(refused.failed(error, &description)),
            OauthError::Service(error) => NotAsked::Redirect(refused.failed("server_error", &error.message)),
        }))
    }

    /// Somebody lets the app in: where their browser is sent, with a code.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn allow_authorization(
        &self,
        visitor: &Visitor,
        asked: Asked,
        user_id: &UserId,
    ) -> Result<String, ServiceError> {
        self.oauth_clients.keep(&asked.client_id).await?;
        let grant = OauthGrant {
            tenant: visitor.server_name().to_owned(),
            client_id: asked.client_id,
            user_id: user_id.to_string(),
            device_id: asked.scope.device_id,
            scope: asked.scope.text,
        };
        let redirect_uri = asked.callback.redirect_uri.clone();
        let code = self.oauth_codes.issue(NewCode { grant, redirect_uri, code_challenge: asked.code_challenge }).await?;
        Ok(asked.callback.answer(&[("code", &code)]))
    }
}

impl Asked {
    /// Somebody does not let the app in: where their browser is sent.
    pub(crate) fn deny(&self) -> String {
        self.callback.failed("access_denied", "The request was denied")
    }

    /// Somebody would have to be shown what the app does not want shown.
    pub(crate) fn needs(&self, error: &str) -> String {
        self.callback.failed(error, "Somebody has to be asked")
    }

    /// Where the app has its users sent to.
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.callback.redirect_uri
    }
}

impl Callback {
    fn failed(&self, error: &str, description: &str) -> String {
        self.answer(&[("error", error), ("error_description", description)])
    }

    /// The redirect URI with parameters, in its query or its fragment. They name the issuer, so that no app takes the answer of one
    /// server for that of another (RFC 9207).
    fn answer(&self, parameters: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let parameters = parameters.iter().copied().chain(state).chain([("iss", self.issuer.as_str())]);
        let Ok(mut url) = Url::parse(&self.redirect_uri) else { return self.redirect_uri.clone() };
        if self.fragment {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
            url.set_fragment(Some(&text));
        } else {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url.into()
    }
}

fn check(
    request: AuthorizationRequest,
    client_id: String,
    client: OauthClientRow,
    callback: Callback,
) -> Result<Asked, OauthError> {
    if request.request.is_some() {
        return Err(OauthError::refused("request_not_supported", "request is not supported"));
    }
    if request.request_uri.is_some() {
        return Err(OauthError::refused("request_uri_not_supported", "request_uri is not supported"));
    }
    if request.response_type.as_deref() != Some("code") {
        return Err(OauthError::refused("unsupported_response_type", "response_type must be code"));
    }
    if request.response_mode.as_deref().is_some_and(|mode| !["query", "fragment"].contains(&mode)) {
        return Err(OauthError::refused("invalid_request", "response_mode is query or fragment"));
    }
    if !client.grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
        return Err(OauthError::refused("unauthorized_client", "The app did not register for authorization_code"));
    }
    if request.code_challenge_method.as_deref() != Some("S256") {
        return Err(OauthError::refused("invalid_request", "code_challenge_method must be S256"));
    }
    let code_challenge = request.code_challenge.filter(|challenge| pkce::is_challenge(challenge));
    let code_challenge = code_challenge.ok_or_else(|| OauthError::refused("invalid_request", "code_challenge is not a SHA-256"))?;
    let scope = Scope::parse(request.scope.as_deref().unwrap_or_default())?;
    let prompt = prompt(request.prompt.as_deref().unwrap_or_default());
    Ok(Asked { client, scope, prompt, client_id, code_challenge, callback })
}

/// What a list of prompts comes to. Others say what is done anyway.
fn prompt(list: &str) -> Option<Prompt> {
    let has = |prompt: &str| list.split(' ').any(|other| other == prompt);
    match () {
        () if has("create") => Some(Prompt::Create),
        () if has("login") || has("select_account") => Some(Prompt::Login),
        () if has("none") => Some(Prompt::None),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(redirect_uri: &str, fragment: bool) -> Callback {
        let state = Some("a b&c".to_owned());
        Callback { redirect_uri: redirect_uri.to_owned(), fragment, state, issuer: "https://one.test/".to_owned() }
    }

    #[test]
    fn answers_go_where_they_were_asked_to() {
        let told = "code=x&state=a+b%26c&iss=https%3A%2F%2Fone.test%2F";
        for (uri, fragment, expected) in [
            ("https://example.com/cb?x=1", false, format!("https://example.com/cb?x=1&{told}")),
            ("https://example.com/cb?x=1", true, format!("https://example.com/cb?x=1#{told}")),
            ("com.example.app:/cb", false, format!("com.example.app:/cb?{told}")),
            ("com.example:cb", false, format!("com.example:cb?{told}")),
            ("http://127.0.0.1:9000/cb", true, format!("http://127.0.0.1:9000/cb#{told}")),
        ] {
            assert_eq!(callback(uri, fragment).answer(&[("code", "x")]), expected);
        }
    }

    #[test]
    fn prompts_are_told_apart() {
        for (list, expected) in [
            ("", None),
            ("consent", None),
            ("none", Some(Prompt::None)),
            ("consent login", Some(Prompt::Login)),
            ("login create", Some(Prompt::Create)),
        ] {
            assert_eq!(prompt(list), expected, "{list}");
        }
    }
}
