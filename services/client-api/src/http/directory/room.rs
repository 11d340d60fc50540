//! `/directory/room/{roomAlias}`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Path};
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// The body of PUT.
#[derive(Deserialize)]
pub(crate) struct Binding {
    room_id: String,
}

/// What an alias means.
pub(crate) async fn get(State(app): State<App>, Path(alias): Path<String>) -> Reply {
    let resolved = app.resolve_alias(&alias).await?;
    Ok(Json(json!({ "room_id": resolved.room_id, "servers": resolved.servers })))
}

/// Binds an alias.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(alias): Path<String>,
    Body(binding): Body<Binding>,
) -> Reply {
    app.put_alias(&requester, &alias, &binding.room_id).await?;
    Ok(empty())
}

/// Removes an alias.
pub(crate) async fn delete(State(app): State<App>, Caller(requester): Caller, Path(alias): Path<String>) -> Reply {
    app.delete_alias(&requester, &alias).await?;
    Ok(empty())
}
