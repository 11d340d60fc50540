//! Apps that register themselves (specification: "Client registration"; RFC 7591).

use banyan_proto::users::OauthClientRow;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    AUTHORIZATION_CODE, DEVICE_CODE, OauthError, REFRESH_TOKEN,
    redirect_uri::{self, MAX_URI, has_base},
};
use crate::app::{App, caller::Visitor};

/// The longest name of an app, in characters.
const MAX_NAME: usize = 100;
/// Redirect URIs that an app has at most.
const MAX_REDIRECT_URIS: usize = 20;

/// What an app says of itself. What is not known is not kept, names in other languages neither.
#[derive(Debug, Deserialize)]
pub(crate) struct ClientMetadata {
    #[serde(default)]
    client_uri: Option<String>,
    #[serde(default)]
    client_name: Option<String>,
    #[serde(default)]
    logo_uri: Option<String>,
    #[serde(default)]
    tos_uri: Option<String>,
    #[serde(default)]
    policy_uri: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    response_types: Option<Vec<String>>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    application_type: Option<String>,
}

impl App {
    /// Registers an app: its id with all that is known of it.
    ///
    /// # Errors
    /// `invalid_client_metadata`, `invalid_redirect_uri`.
    pub(crate) async fn register_oauth_client(&self, visitor: &Visitor, metadata: ClientMetadata) -> Result<Value, OauthError> {
        let row = checked(metadata, visitor.server_name())?;
        let answer = described(&row);
        let client_id = self.oauth_clients.register(row).await?;
        let mut answer = Map::from_iter(answer);
        answer.insert("client_id".to_owned(), client_id.into());
        Ok(Value::Object(answer))
    }
}

fn checked(metadata: ClientMetadata, tenant: &str) -> Result<OauthClientRow, OauthError> {
    let wrong = |why: &'static str| OauthError::refused("invalid_client_metadata", why);
    let application_type = metadata.application_type.unwrap_or_else(|| "web".to_owned());
    if !["web", "native"].contains(&application_type.as_str()) {
        return Err(wrong("application_type is web or native"));
    }
    if metadata.token_endpoint_auth_method.is_some_and(|method| method != "none") {
        return Err(wrong("token_endpoint_auth_method is none: apps keep no secrets"));
    }
    let client_uri = metadata.client_uri.ok_or_else(|| wrong("client_uri is missing"))?;
    let base = own_uri(&client_uri).ok_or_else(|| wrong("client_uri must be an https address without a user"))?;
    let below = |uri: &Option<String>| uri.as_ref().is_none_or(|uri| own_uri(uri).is_some_and(|url| has_base(&url, &base)));
    if ![&metadata.logo_uri, &metadata.tos_uri, &metadata.policy_uri].into_iter().all(below) {
        return Err(wrong("logo_uri, tos_uri and policy_uri must be https addresses on the host of client_uri or below it"));
    }
    let client_name = metadata.client_name.unwrap_or_default();
    if client_name.chars().count() > MAX_NAME || client_name.chars().any(char::is_control) {
        return Err(wrong("client_name is longer than 100 characters or not one line"));
    }
    let grant_types = known(metadata.grant_types, AUTHORIZATION_CODE, &[AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE]);
    let response_types = known(metadata.response_types, "code", &["code"]);
    let code_grant = grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE);
    if grant_types.is_empty() || (code_grant && response_types.is_empty()) {
        return Err(wrong("None of grant_types is known here, or the response type code is missing"));
    }
    let redirect_uris = metadata.redirect_uris;
    let native = application_type == "native";
    if redirect_uris.len() > MAX_REDIRECT_URIS || !redirect_uris.iter().all(|uri| redirect_uri::may_register(uri, &base, native)) {
        return Err(OauthError::refused("invalid_redirect_uri", "One of redirect_uris is not allowed, or there are more than 20"));
    }
    if code_grant && redirect_uris.is_empty() {
        return Err(OauthError::refused("invalid_redirect_uri", "The authorization_code grant needs one of redirect_uris"));
    }
    Ok(OauthClientRow {
        tenant: tenant.to_owned(),
        application_type,
        client_name,
        client_uri,
        logo_uri: metadata.logo_uri.unwrap_or_default(),
        tos_uri: metadata.tos_uri.unwrap_or_default(),
        policy_uri: metadata.policy_uri.unwrap_or_default(),
        redirect_uris,
        grant_types,
        response_types,
        expires: 0,
    })
}

/// An HTTPS address without a user.
fn own_uri(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok().filter(|_| uri.len() <= MAX_URI)?;
    has_base(&url, &url).then_some(url)
}

/// Those values of a list that are known here, each once, or the usual one where there is no list.
fn known(list: Option<Vec<String>>, usual: &str, known: &[&str]) -> Vec<String> {
    let list = list.unwrap_or_else(|| vec![usual.to_owned()]);
    known.iter().filter(|known| list.iter().any(|value| value == *known)).map(|known| (*known).to_owned()).collect()
}

/// All that is known of an app.
fn described(row: &OauthClientRow) -> Vec<(String, Value)> {
    let texts = [
        ("client_name", &row.client_name),
        ("client_uri", &row.client_uri),
        ("logo_uri", &row.logo_uri),
        ("tos_uri", &row.tos_uri),
        ("policy_uri", &row.policy_uri),
        ("application_type", &row.application_type),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, json!(text)));
    let lists = [("redirect_uris", &row.redirect_uris), ("grant_types", &row.grant_types), ("response_types", &row.response_types)];
    let lists = lists.into_iter().map(|(name, list)| (name, json!(list)));
    let method = ("token_endpoint_auth_method", json!("none"));
    texts.chain(lists).chain([method]).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What people call an app.
pub(crate) fn shown_name(client: &OauthClientRow) -> String {
    if client.client_name.trim().is_empty() { shown_host(client) } else { client.client_name.clone() }
}

/// The host of an app's own address, which it had to prove by its redirect URIs.
pub(crate) fn shown_host(client: &OauthClientRow) -> String {
    Url::parse(&client.client_uri).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(change: &Value) -> Result<OauthClientRow, OauthError> {
        let mut metadata = json!({
            "client_uri": "https://example.com/",
            "redirect_uris": ["https://app.example.com/callback"],
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"],
            "response_types": ["code", "token"],
            "client_name#fr": "Mon application",
        });
        for (name, value) in change.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        checked(serde_json::from_value(metadata).unwrap(), "one.test")
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let row = register(&json!({})).unwrap();
        assert_eq!(
            (row.grant_types, row.response_types),
            (vec!["authorization_code".into(), "refresh_token".into()], vec!["code".into()])
        );
        assert_eq!(row.application_type, "web");
        let device = register(&json!({"grant_types": [DEVICE_CODE], "redirect_uris": [], "response_types": []})).unwrap();
        assert_eq!(device.grant_types, [DEVICE_CODE]);
    }

    #[test]
    fn wrong_metadata_is_refused() {
        for change in [
            json!({"client_uri": null}),
            json!({"client_uri": "http://example.com/"}),
            json!({"client_uri": "https://me@example.com/"}),
            json!({"tos_uri": "https://elsewhere.org/"}),
            json!({"logo_uri": "http://example.com/logo.png"}),
            json!({"policy_uri": "https://badexample.com/"}),
            json!({"application_type": "toaster"}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"client_name": "x".repeat(101)}),
            json!({"client_name": "two\nlines"}),
            json!({"grant_types": ["implicit"]}),
            json!({"response_types": ["token"]}),
        ] {
            assert!(matches!(register(&change), Err(OauthError::Refused("invalid_client_metadata", _))), "{change}");
        }
        for change in [json!({"redirect_uris": []}), json!({"redirect_uris": ["https://evil.org/"]})] {
            assert!(matches!(register(&change), Err(OauthError::Refused("invalid_redirect_uri", _))), "{change}");
        }
    }

    #[test]
    fn an_app_without_a_name_is_called_by_its_host() {
        let row = register(&json!({"client_name": " "})).unwrap();
        assert_eq!(shown_name(&row), "example.com");
    }
}
