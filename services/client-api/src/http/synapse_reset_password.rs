//! POST `/_synapse/admin/v1/reset_password/{userId}`.

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use ruma::OwnedUserId;

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::{App, password::PasswordChange};

/// Sets the password of a user who cannot.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(user_id): Path<OwnedUserId>,
    Body(wish): Body<PasswordChange>,
) -> Reply {
    app.reset_password(&requester, &user_id, wish).await?;
    Ok(empty())
}
