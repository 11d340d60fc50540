//! Calls to identity servers (specification: Identity Service API).

use banyan_core::{ErrorCode, ServiceError};
use banyan_http::{Outbound, Question};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Public keys of an invitation at most.
const MAX_KEYS: usize = 10;
/// Bytes of a name, a key or an address in one.
const MAX_TEXT: usize = 1_000;

/// An identity server, asked on behalf of whoever gave the token.
pub(crate) struct IdentityServer<'a> {
    pub(crate) outbound: &'a Outbound,
    /// Without a slash at its end.
    pub(crate) url: &'a str,
    pub(crate) token: &'a str,
}

#[derive(Deserialize)]
struct HashDetails {
    lookup_pepper: String,
    algorithms: Vec<String>,
}

/// What an identity server keeps of an invitation, as far as the room is told.
#[derive(Deserialize)]
pub(crate) struct StoredInvite {
    pub(crate) token: String,
    pub(crate) public_keys: Vec<PublicKey>,
    pub(crate) display_name: String,
}

/// A key that signs that somebody has the identifier.
#[derive(Deserialize)]
pub(crate) struct PublicKey {
    pub(crate) public_key: String,
    pub(crate) key_validity_url: String,
}

impl IdentityServer<'_> {
    /// Who bound an identifier.
    ///
    /// # Errors
    /// What the identity server says; `Unavailable` if it does not answer, or nothing that can be understood.
    pub(crate) async fn lookup(&self, medium: &str, address: &str) -> Result<Option<OwnedUserId>, ServiceError> {
        let details: HashDetails = self.call("hash_details", None).await?;
        let offers = |name: &str| details.algorithms.iter().any(|algorithm| algorithm == name);
        let (algorithm, asked) = if offers("sha256") {
            let hash = Sha256::digest(format!("{address} {medium} {}", details.lookup_pepper));
            ("sha256", URL_SAFE_NO_PAD.encode(hash))
        } else if offers("none") {
            ("none", format!("{address} {medium}"))
        } else {
            return Err(nonsense());
        };
        let body = json!({"algorithm": algorithm, "pepper": details.lookup_pepper, "addresses": [asked]});
        let found: Value = self.call("lookup", Some(&body)).await?;
        let Some(user_id) = found["mappings"][&asked].as_str() else { return Ok(None) };
        OwnedUserId::try_from(user_id).map(Some).map_err(|_| nonsense())
    }

    /// Has it keep an invitation and mail it.
    ///
    /// # Errors
    /// As [`IdentityServer::lookup`].
    pub(crate) async fn store_invite(&self, invite: &Value) -> Result<StoredInvite, ServiceError> {
        let stored: StoredInvite = self.call("store-invite", Some(invite)).await?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'=' | b'_' | b'-');
        let token = &stored.token;
        let short = |key: &PublicKey| key.public_key.len() <= MAX_TEXT && key.key_validity_url.len() <= MAX_TEXT;
        let sound = (1..=255).contains(&token.len())
            && token.bytes().all(fits)
            && (1..=MAX_KEYS).contains(&stored.public_keys.len())
            && stored.public_keys.iter().all(short)
            && stored.display_name.len() <= MAX_TEXT;
        if sound { Ok(stored) } else { Err(nonsense()) }
    }

    async fn call<T: for<'de> Deserialize<'de>>(&self, path: &str, body: Option<&Value>) -> Result<T, ServiceError> {
        let url = format!("{}/_matrix/identity/v2/{path}", self.url);
        let question = body.map_or(Question::Nothing, Question::Json);
        let (status, answer) = self.outbound.ask("The identity server", &url, Some(self.token), question).await?;
        if !status.is_success() {
            return Err(refusal(status, &answer));
        }
        T::deserialize(answer).map_err(|_| nonsense())
    }
}

fn nonsense() -> ServiceError {
    ServiceError::unavailable("The identity server answers what cannot be understood")
}

/// What it said, for whoever asked through us. Not its 401: that would end the session here.
fn refusal(status: StatusCode, answer: &Value) -> ServiceError {
    if status == StatusCode::UNAUTHORIZED {
        return ServiceError::forbidden("The identity server does not accept id_access_token");
    }
    if !status.is_client_error() {
        return ServiceError::unavailable("The identity server has a problem");
    }
    let known = |code: &&str| code.starts_with("M_") && code.len() <= 64;
    let errcode = answer["errcode"].as_str().filter(known).unwrap_or("M_UNKNOWN").to_owned();
    let words = answer["error"].as_str().unwrap_or_default();
    let message = format!("The identity server refused: {}", words.chars().take(200).collect::<String>());
    let code = match status {
        StatusCode::FORBIDDEN => ErrorCode::Forbidden,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::Unavailable,
        _ => ErrorCode::InvalidArgument,
    };
    ServiceError { errcode: Some(errcode.into()), ..ServiceError::new(code, message) }
}
