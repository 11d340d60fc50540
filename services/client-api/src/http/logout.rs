//! POST `/logout` and `/logout/all`.

use axum::extract::State;

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::App;

/// Ends this session.
pub(crate) async fn one(State(app): State<App>, Caller(requester): Caller) -> Reply {
    app.log_out(&requester, false).await?;
    Ok(empty())
}

/// Ends all sessions of the caller.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller) -> Reply {
    app.log_out(&requester, true).await?;
    Ok(empty())
}
