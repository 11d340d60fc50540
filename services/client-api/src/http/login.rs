//! GET and POST `/login`, and what is below it.

use axum::{Json, extract::State, response::Response};
use banyan_http::{Json as Body, MatrixError};
use banyan_proto::userserver::LoginResponse;
use banyan_tenants::Tenant;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    extract::{Anyone, Caller},
    reply::{Reply, challenged},
};
use crate::app::{
    App,
    caller::Visitor,
    login::{Identifier, LoginWish, unknown_type},
};

const PASSWORD: &str = "m.login.password";
const TOKEN: &str = "m.login.token";
const SSO: &str = "m.login.sso";

/// The ways to log in.
pub(crate) async fn flows(Anyone(visitor): Anyone) -> Reply {
    must_be_served(&visitor)?;
    let login = &visitor.tenant.config().login;
    let password = login.password.then(|| json!({ "type": PASSWORD }));
    let token = login.token.then(|| json!({ "type": TOKEN, "get_login_token": true }));
    let sso = sso_is_offered(&visitor).then(|| sso_flow(&visitor.tenant));
    Ok(Json(json!({ "flows": password.into_iter().chain(token).chain(sso).collect::<Vec<_>>() })))
}

/// Whether clients of this API can have their users sign in on pages: they come back with a login token.
pub(crate) fn sso_is_offered(visitor: &Visitor) -> bool {
    visitor.tenant.oauth_base().is_some() && visitor.tenant.config().login.token
}

/// Clients that know of the OAuth 2.0 API offer nothing else: the pages know all ways (specification: "OAuth 2.0 aware clients").
fn sso_flow(tenant: &Tenant) -> Value {
    let providers = tenant.config().sso.iter().map(|provider| {
        let mut shown = json!({ "id": provider.id, "name": provider.name });
        if let Some(brand) = &provider.brand {
            shown["brand"] = json!(brand);
        }
        shown
    });
    let providers: Vec<_> = providers.collect();
    let mut flow = json!({ "type": SSO, "oauth_aware_preferred": true });
    if !providers.is_empty() {
        flow["identity_providers"] = json!(providers);
    }
    flow
}

/// Refuses where the tenant's users sign in by the OAuth 2.0 API alone (specification: "Authentication API discovery").
///
/// # Errors
/// 404 M_UNRECOGNIZED.
pub(crate) fn must_be_served(visitor: &Visitor) -> Result<(), MatrixError> {
    if visitor.tenant.config().login.legacy {
        return Ok(());
    }
    Err(MatrixError::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "OAuth 2.0 authentication is in use on this homeserver."))
}

/// The body of POST `/login`.
#[derive(Deserialize)]
pub(crate) struct Login {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    identifier: Option<Identifier>,
    /// From before identifiers.
    #[serde(default)]
    user: Option<String>,
    /// As above.
    #[serde(default)]
    medium: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(flatten)]
    wish: LoginWish,
}

/// Logs in.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, Body(login): Body<Login>) -> Reply {
    must_be_served(&visitor)?;
    let session = match login.kind.as_str() {
        PASSWORD => {
            let identifier = login.identifier.or_else(|| Identifier::from_before(login.user, login.medium, login.address));
            let identifier = identifier.ok_or_else(|| MatrixError::bad_json("identifier is missing"))?;
            let user = app.user_name(&visitor, identifier).await?;
            let password = login.password.ok_or_else(|| MatrixError::bad_json("password is missing"))?;
            app.log_in(&visitor, &user, password, login.wish).await?
        }
        TOKEN => {
            let token = login.token.ok_or_else(|| MatrixError::bad_json("token is missing"))?;
            app.log_in_by_token(&visitor, &token, login.wish).await?
        }
        _ => return Err(unknown_type().into()),
    };
    Ok(Json(session_body(&visitor.tenant, session)))
}

/// POST `/_matrix/client/v1/login/get_token`: a token that lets another device log in.
pub(crate) async fn get_token(
    State(app): State<App>,
    Caller(requester): Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    Ok(challenged(app.login_token(&requester, &body).await?.map(Json)))
}

/// The answer to a login and to a registration that logs in.
pub(crate) fn session_body(tenant: &Tenant, session: LoginResponse) -> Value {
    let mut body = Map::new();
    body.insert("user_id".to_owned(), session.user_id.into());
    // Deprecated, and old clients read it.
    body.insert("home_server".to_owned(), tenant.name().as_str().into());
    if !session.access_token.is_empty() {
        body.insert("access_token".to_owned(), session.access_token.into());
        body.insert("device_id".to_owned(), session.device_id.into());
    }
    if !session.refresh_token.is_empty() {
        body.insert("refresh_token".to_owned(), session.refresh_token.into());
        body.insert("expires_in_ms".to_owned(), session.expires_in_ms.into());
    }
    if let Some(base_url) = &tenant.config().base_url {
        body.insert("well_known".to_owned(), json!({ "m.homeserver": { "base_url": base_url } }));
    }
    Value::Object(body)
}
