//! POST `/oauth2/revoke`: ends a session by one of its tokens (RFC 7009).

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, json, unreadable};
use crate::{app::App, http::extract::Anyone};

/// The form. Which kind of token it is, and whose, does not matter.
#[derive(Deserialize)]
pub(crate) struct Revocation {
    token: String,
}

/// Ends it: 200, also where there is no such token.
pub(crate) async fn post(State(app): State<App>, Anyone(visitor): Anyone, form: Result<Form<Revocation>, FormRejection>) -> Answer {
    let Form(revocation) = form.map_err(|error| unreadable(&error))?;
    app.revoke(&visitor, &revocation.token).await?;
    Ok(json(StatusCode::OK, json!({})))
}
