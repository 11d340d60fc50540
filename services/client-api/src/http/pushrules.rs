//! Below `/pushrules`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, Path, Query, RawObject};
use banyan_proto::userserver::{DeletePushRule, PutPushRule, change_push_rule_request::Change};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
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

/// Where a rule is to stand.
#[derive(Deserialize)]
pub(crate) struct Place {
    before: Option<String>,
    after: Option<String>,
}

/// Adds or changes a rule.
pub(crate) async fn put_rule(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(Place { before, after }): Query<Place>,
    RawObject(rule): RawObject,
) -> Reply {
    let put = PutPushRule { rule, before: before.unwrap_or_default(), after: after.unwrap_or_default() };
    app.change_push_rule(&requester, kind, id, Change::Put(put)).await?;
    Ok(empty())
}

/// Removes a rule.
pub(crate) async fn delete_rule(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((kind, id)): Path<(String, String)>,
) -> Reply {
    app.change_push_rule(&requester, kind, id, Change::Delete(DeletePushRule {})).await?;
    Ok(empty())
}

/// The new actions of a rule.
#[derive(Deserialize)]
pub(crate) struct Actions {
    actions: Option<Value>,
}

/// Sets the actions of a rule.
pub(crate) async fn put_actions(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((kind, id)): Path<(String, String)>,
    Body(Actions { actions }): Body<Actions>,
) -> Reply {
    let actions = actions.ok_or_else(|| MatrixError::missing_param("actions is missing"))?;
    app.change_push_rule(&requester, kind, id, Change::Actions(actions.to_string().into())).await?;
    Ok(empty())
}

/// Whether a rule is to be on.
#[derive(Deserialize)]
pub(crate) struct Enabled {
    enabled: Option<bool>,
}

/// Turns a rule on or off.
pub(crate) async fn put_enabled(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((kind, id)): Path<(String, String)>,
    Body(Enabled { enabled }): Body<Enabled>,
) -> Reply {
    let enabled = enabled.ok_or_else(|| MatrixError::missing_param("enabled is missing"))?;
    app.change_push_rule(&requester, kind, id, Change::Enabled(enabled)).await?;
    Ok(empty())
}
