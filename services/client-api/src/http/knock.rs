//! POST `/knock/{roomIdOrAlias}`.

use axum::{Json, extract::State};
use banyan_http::{OptionalJson, Path};
use serde_json::json;

use super::{extract::Caller, reply::Reply};
use crate::app::{App, membership::Reason};

/// Asks to be let into a room, named by its id or an alias. `via` names servers that could help with rooms elsewhere.
pub(crate) async fn post(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(id_or_alias): Path<String>,
    OptionalJson(body): OptionalJson<Reason>,
) -> Reply {
    let room_id = app.knock(&requester, &id_or_alias, body.reason).await?;
    Ok(Json(json!({ "room_id": room_id })))
}
