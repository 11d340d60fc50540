//! GET and POST `/login`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError};
use banyan_proto::userserver::LoginResponse;
use banyan_tenants::Tenant;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{extract::Anyone, reply::Reply};
use crate::app::{
    App,
    login::{Identifier, PasswordLogin, unknown_type},
};

/// The ways to log in.
pub(crate) async fn flows(Anyone(visitor): Anyone) -> Json<Value> {
    let password = visitor.tenant.config().login.password.then(|| json!({ "type": "m.login.password" }));
    Json(json!({ "flows": password.into_iter().collect::<Vec<_>>() }))
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
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    initial_device_display_name: Option<String>,
}

/// Logs in.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, Body(login): Body<Login>) -> Reply {
    if login.kind != "m.login.password" {
        return Err(unknown_type().into());
    }
    let user = match login.identifier {
        Some(identifier) => identifier.user_name()?,
        None => login.user.ok_or_else(|| MatrixError::bad_json("identifier is missing"))?,
    };
    let password = login.password.ok_or_else(|| MatrixError::bad_json("password is missing"))?;
    let wish = PasswordLogin {
        user,
        password,
        device_id: login.device_id.unwrap_or_default(),
        initial_device_display_name: login.initial_device_display_name.unwrap_or_default(),
    };
    let session = app.log_in(&visitor, wish).await?;
    Ok(Json(session_body(&visitor.tenant, session)))
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
    if let Some(base_url) = &tenant.config().base_url {
        body.insert("well_known".to_owned(), json!({ "m.homeserver": { "base_url": base_url } }));
    }
    Value::Object(body)
}
