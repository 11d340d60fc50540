//! POST `/account/password`.

use axum::{extract::State, response::Response};
use banyan_http::{Json, MatrixError};
use serde_json::{Map, Value};

use crate::{
    app::{App, auth::guest_access_forbidden},
    http::{
        extract::{Anyone, MaybeCaller},
        reply::{challenged, empty},
    },
};

/// Changes the caller's password; without a caller, that of whoever proves by mail that they have an account. Or says which stages are
/// missing (401).
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    MaybeCaller(requester): MaybeCaller,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    let outcome = match requester {
        Some(requester) if requester.guest => return Err(guest_access_forbidden().into()),
        Some(requester) => app.change_password(&requester, &body).await?,
        None if visitor.tenant.config().email.is_none() => return Err(MatrixError::missing_token()),
        None => app.reset_password_by_email(&visitor, &body).await?,
    };
    Ok(challenged(outcome.map(|()| empty())))
}
