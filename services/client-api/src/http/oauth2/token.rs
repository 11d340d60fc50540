//! POST `/oauth2/token`: tokens for a grant (RFC 6749, section 3.2).

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
};
use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, json, unreadable};
use crate::{
    app::{App, oauth::token::TokenRequest},
    http::extract::Anyone,
};

/// Gives an access token and a refresh token.
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Answer {
    let Form(request) = form.map_err(|error| unreadable(&error))?;
    let granted = app.grant_tokens(&visitor, request).await?;
    let session = granted.session;
    let mut body = json!({
        "access_token": session.access_token,
        "token_type": "Bearer",
        "expires_in": session.expires_in_ms / 1000,
        "refresh_token": session.refresh_token,
    });
    if let Some(scope) = granted.scope {
        body["scope"] = scope.into();
    }
    Ok(json(StatusCode::OK, body))
}
