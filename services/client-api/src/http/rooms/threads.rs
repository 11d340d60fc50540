//! GET `/rooms/{roomId}/threads`.

use axum::extract::State;
use banyan_http::{Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{App, threads::ThreadsWish},
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    include: Include,
    limit: Option<usize>,
    from: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Include {
    #[default]
    All,
    Participated,
}

/// A page of the roots of threads.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(Params { include, limit, from }): Query<Params>,
) -> Reply<JsonText> {
    let wish = ThreadsWish { participated: include == Include::Participated, limit, from };
    let page = app.threads(&requester, &room_id, wish).await?;
    let mut out = b"{\"chunk\":".to_vec();
    out.extend(list(&page.chunk));
    if let Some(next_batch) = page.next_batch {
        out.extend(format!(",\"next_batch\":{}", Value::from(next_batch)).into_bytes());
    }
    out.push(b'}');
    Ok(JsonText(out))
}
