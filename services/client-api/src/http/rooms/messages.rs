//! GET `/rooms/{roomId}/messages`.

use axum::extract::State;
use banyan_http::{MatrixError, Path, Query};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{
        App,
        event_filter::EventFilter,
        messages::{MessagesPage, MessagesWish},
    },
    http::{
        extract::Caller,
        reply::{JsonText, Reply, list},
    },
};

use super::direction;

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    dir: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    filter: Option<String>,
}

/// A page of messages.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Reply<JsonText> {
    let direction = match params.dir.as_deref() {
        Some(dir) => direction(dir)?,
        None => {
            // Who may not look into the room is told that first.
            app.access(&requester, &room_id).await?;
            return Err(MatrixError::missing_param("dir is missing"));
        }
    };
    let filter = params.filter.as_deref().map(EventFilter::parse).transpose()?.unwrap_or_default();
    let filter = filter.ignoring(app.ignored(&requester).await?);
    let wish = MessagesWish { from: params.from, to: params.to, direction, limit: params.limit, filter };
    let page = app.messages(&requester, &room_id, wish).await?;
    Ok(JsonText(body(&page)))
}

fn body(page: &MessagesPage) -> Vec<u8> {
    let mut out = b"{\"chunk\":".to_vec();
    out.extend(list(&page.chunk));
    if let Some(end) = &page.end {
        out.extend(format!(",\"end\":{}", Value::from(end.as_str())).into_bytes());
    }
    out.extend(format!(",\"start\":{}", Value::from(page.start.as_str())).into_bytes());
    if !page.state.is_empty() {
        out.extend(b",\"state\":");
        out.extend(list(&page.state));
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_json_and_leaves_out_what_is_not_there() {
        let page = MessagesPage { start: "a".to_owned(), end: None, chunk: vec![b"{}".to_vec()], state: Vec::new() };
        assert_eq!(serde_json::from_slice::<Value>(&body(&page)).unwrap(), json!({"start": "a", "chunk": [{}]}));
        let page = MessagesPage { end: Some("b\"".to_owned()), state: vec![b"{}".to_vec()], ..page };
        let expected = json!({"start": "a", "end": "b\"", "chunk": [{}], "state": [{}]});
        assert_eq!(serde_json::from_slice::<Value>(&body(&page)).unwrap(), expected);
    }
}
