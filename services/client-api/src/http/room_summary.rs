//! GET `/room_summary/{roomIdOrAlias}`.

use axum::{Json, extract::State};
use banyan_http::Path;
use serde_json::{Map, Value};

use super::{extract::MaybeCaller, reply::Reply, summaries::summary};
use crate::app::{App, Requester};

/// What may be known of a room. `via` names servers that could help with rooms elsewhere.
pub(crate) async fn get(State(app): State<App>, MaybeCaller(requester): MaybeCaller, Path(id_or_alias): Path<String>) -> Reply {
    Ok(Json(shown(&app, requester, &id_or_alias).await?.into()))
}

/// The same with the names that some fields had before the specification took them up (MSC3266).
pub(crate) async fn get_unstable(
    State(app): State<App>,
    MaybeCaller(requester): MaybeCaller,
    Path(id_or_alias): Path<String>,
) -> Reply {
    let mut shown = shown(&app, requester, &id_or_alias).await?;
    for field in ["encryption", "room_version"] {
        if let Some(value) = shown.get(field).cloned() {
            shown.insert(format!("im.nheko.summary.{field}"), value);
        }
    }
    Ok(Json(shown.into()))
}

async fn shown(app: &App, requester: Option<Requester>, id_or_alias: &str) -> Reply<Map<String, Value>> {
    let (room_id, found) = app.room_summary(requester.as_ref(), id_or_alias).await?;
    let mut shown = summary(&room_id, &found.summary);
    if requester.is_some() {
        shown.insert("membership".to_owned(), found.membership.as_deref().unwrap_or("leave").into());
    }
    Ok(shown)
}
