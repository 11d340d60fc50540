//! GET `/keys/changes`.

use axum::{Json, extract::State};
use banyan_http::{MatrixError, Query};
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    from: Option<String>,
    to: Option<String>,
}

/// Whose devices changed.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply {
    let (Some(from), Some(_)) = (params.from, params.to) else { return Err(MatrixError::missing_param("from and to are needed")) };
    let lists = app.key_changes(&requester, from).await?;
    Ok(Json(json!({ "changed": lists.changed, "left": lists.left })))
}
