//! GET `/_banyan/admin/v1/reports`, and POST `/{number}/close` below it.

use axum::{Json, extract::State};
use banyan_http::{Path, Query};
use banyan_proto::users::Report;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::App;

/// Reports of a page where the client does not say, and at most.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    /// A number: older ones are told.
    before: Option<u64>,
    limit: Option<usize>,
}

/// What was reported, the newest first.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply {
    let limit = params.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
    let reports = app.reports(&requester, params.before, limit).await?;
    let before = reports.last().map(|(number, _)| *number).filter(|number| *number > 1);
    let shown: Vec<_> = reports.into_iter().map(shown).collect();
    let mut answer = json!({ "reports": shown });
    if let Some(before) = before {
        answer["next"] = json!(before);
    }
    Ok(Json(answer))
}

/// Closes one.
pub(crate) async fn close(State(app): State<App>, Caller(requester): Caller, Path(number): Path<u64>) -> Reply {
    app.close_report(&requester, number).await?;
    Ok(empty())
}

fn shown((number, report): (u64, Report)) -> Value {
    let mut shown = json!({
        "number": number, "received_ts": report.received / 1000, "reporter": report.reporter, "reason": report.reason,
    });
    for (name, id) in [("room_id", report.room_id), ("event_id", report.event_id), ("user_id", report.user_id)] {
        if !id.is_empty() {
            shown[name] = id.into();
        }
    }
    if report.closed != 0 {
        shown["closed_ts"] = (report.closed / 1000).into();
        shown["closed_by"] = report.closed_by.into();
    }
    shown
}
