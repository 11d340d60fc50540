//! GET `/rooms/{roomId}/context/{eventId}`.

use axum::extract::State;
use banyan_http::{Path, Query};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{App, context::ContextPage, event_filter::EventFilter},
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    limit: Option<usize>,
    filter: Option<String>,
}

/// The events around an event.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    let filter = params.filter.as_deref().map(EventFilter::parse).transpose()?.unwrap_or_default();
    let filter = filter.ignoring(app.ignored(&requester).await?);
    let page = app.context(&requester, &room_id, &event_id, params.limit, &filter).await?;
    Ok(JsonText(body(&page)))
}

fn body(page: &ContextPage) -> Vec<u8> {
    let token = |token: &str| Value::from(token).to_string().into_bytes();
    [
        b"{\"end\":".to_vec(),
        token(&page.end),
        b",\"event\":".to_vec(),
        page.event.clone(),
        b",\"events_after\":".to_vec(),
        list(&page.after),
        b",\"events_before\":".to_vec(),
        list(&page.before),
        b",\"start\":".to_vec(),
        token(&page.start),
        b",\"state\":".to_vec(),
        list(&page.state),
        b"}".to_vec(),
    ]
    .concat()
}
