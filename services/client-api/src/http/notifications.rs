//! GET `/notifications`.

use axum::extract::State;
use banyan_http::Query;
use serde::Deserialize;
use serde_json::Value;

use super::{
    extract::Caller,
    reply::{JsonText, Reply, list},
};
use crate::app::{App, notifications::NotificationsWish};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    from: Option<String>,
    limit: Option<usize>,
    only: Option<String>,
}

/// A page of what the caller was notified of.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Query(Params { from, limit, only }): Query<Params>,
) -> Reply<JsonText> {
    let wish = NotificationsWish { from, limit, highlights: only.as_deref() == Some("highlight") };
    let page = app.notifications(&requester, wish).await?;
    let mut out = b"{\"notifications\":".to_vec();
    out.extend(list(&page.notifications));
    if let Some(next) = page.next_token {
        out.extend(format!(",\"next_token\":{}", Value::from(next)).into_bytes());
    }
    out.push(b'}');
    Ok(JsonText(out))
}
