//! Below `/pushrules`: reading.

use axum::{Json, extract::State};
use banyan_http::Path;
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::App;

/// All rules.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller) -> Reply {
    Ok(Json(app.push_rules(&requester).await?))
}

/// All rules of the only scope there is.
pub(crate) async fn global(State(app): State<App>, Caller(requester): Caller) -> Reply {
    Ok(Json(app.push_rules(&requester).await?["global"].take()))
}

/// One rule.
pub(crate) async fn rule(State(app): State<App>, Caller(requester): Caller, Path((kind, id)): Path<(String, String)>) -> Reply {
    Ok(Json(app.push_rule(&requester, &kind, &id).await?))
}

/// The actions of one rule.
pub(crate) async fn actions(State(app): State<App>, Caller(requester): Caller, Path((kind, id)): Path<(String, String)>) -> Reply {
    Ok(Json(json!({ "actions": app.push_rule(&requester, &kind, &id).await?["actions"] })))
}

/// Whether one rule is on.
pub(crate) async fn enabled(State(app): State<App>, Caller(requester): Caller, Path((kind, id)): Path<(String, String)>) -> Reply {
    Ok(Json(json!({ "enabled": app.push_rule(&requester, &kind, &id).await?["enabled"] })))
}
