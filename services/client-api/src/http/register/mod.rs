//! POST `/register`, and what is below it.

pub(crate) mod available;
pub(crate) mod token_validity;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::{Json as Body, MatrixError, Query};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    extract::Anyone,
    login::{must_be_served, session_body},
};
use crate::app::{App, register::Registration, uia::Uia};

/// The query of POST `/register`.
#[derive(Deserialize)]
pub(crate) struct Params {
    kind: Option<String>,
}

/// Makes an account, or says which stages are missing (401).
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Query(params): Query<Params>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    must_be_served(&visitor)?;
    let session = match params.kind.as_deref() {
        Some("guest") => app.register_guest(&visitor, text(&body, "initial_device_display_name")).await?,
        None | Some("user") => {
            let registration: Registration =
                serde_json::from_value(Value::Object(body.clone())).map_err(|error| MatrixError::bad_json(error.to_string()))?;
            match app.register(&visitor, registration, &body).await? {
                Uia::Done(session) => session,
                Uia::Challenge(body) => return Ok((StatusCode::UNAUTHORIZED, Json(body)).into_response()),
            }
        }
        Some(_) => return Err(MatrixError::invalid_param("kind is user or guest")),
    };
    let mut body = session_body(&visitor.tenant, session);
    if let Some(body) = body.as_object_mut() {
        body.remove("well_known");
    }
    Ok(Json(body).into_response())
}

fn text(body: &Map<String, Value>, member: &str) -> Option<String> {
    body.get(member).and_then(Value::as_str).map(str::to_owned)
}
