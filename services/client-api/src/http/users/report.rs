//! POST `/users/{userId}/report`.

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use ruma::OwnedUserId;

use crate::{
    app::{App, reports::Subject},
    http::{
        extract::Caller,
        reply::{Reply, empty},
        rooms::report::Reason,
    },
};

/// Reports a user.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(user_id): Path<OwnedUserId>,
    Body(body): Body<Reason>,
) -> Reply {
    app.report(&requester, Subject::User(user_id), body.reason).await?;
    Ok(empty())
}
