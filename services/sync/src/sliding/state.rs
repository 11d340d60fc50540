//! Reads the state of a room that a client asks for, and no more.

use std::sync::Arc;

use banyan_core::LogSeq;
use banyan_proto::rooms::RoomHead;
use ruma::RoomId;
use serde_json::{Value, value::RawValue};

use super::required_state::RequiredState;
use crate::{app::Context, error::SyncError, source::StateMap, tails::change::RoomEvent};

/// The type of memberships.
pub(super) const MEMBER: &str = "m.room.member";

/// A room at a position.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) room: &'a RoomId,
    pub(super) head: &'a RoomHead,
    pub(super) upto: LogSeq,
}

/// The state events that are asked for; with `members` all memberships too.
pub(super) async fn read(
    context: &Context,
    at: Moment<'_>,
    required: &RequiredState,
    members: bool,
) -> Result<StateMap, SyncError> {
    let source = &context.source;
    let mut map = StateMap::default();
    if required.has_any_type() {
        let all = source.state(at.room, at.head, at.upto, members || !required.is_lazy()).await?;
        keep(&mut map, &all, |kind, key| required.takes(kind, key) || (members && kind == MEMBER));
    } else {
        let mut types = required.whole_types();
        types.extend(members.then_some(MEMBER));
        for kind in types {
            let all = source.state_of_type(at.room, at.head, at.upto, kind).await?;
            keep(&mut map, &all, |kind, key| required.takes(kind, key) || (members && kind == MEMBER));
        }
    }
    let exact: Vec<(&str, &str)> = required.exact().into_iter().collect();
    for event in events(context, at, &exact).await?.into_iter().flatten() {
        insert(&mut map, &event);
    }
    Ok(map)
}

/// Some state events, in the order asked.
pub(super) async fn events(
    context: &Context,
    at: Moment<'_>,
    wanted: &[(&str, &str)],
) -> Result<Vec<Option<Arc<RoomEvent>>>, SyncError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    Ok(context.source.state_events(at.room, at.head, at.upto, wanted).await?)
}

/// Sets an event of a state.
pub(super) fn insert(map: &mut StateMap, event: &Arc<RoomEvent>) {
    if let Some((kind, key)) = event.state() {
        map.insert(kind.to_owned(), key.to_owned(), event.clone());
    }
}

fn keep(map: &mut StateMap, from: &StateMap, takes: impl Fn(&str, &str) -> bool) {
    from.events().filter(|event| event.state().is_some_and(|(kind, key)| takes(kind, key))).for_each(|event| insert(map, event));
}

/// A text in the content of an event (JSON), unless it is empty.
pub(super) fn content_text(event: &[u8], name: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let content: Value = serde_json::from_str(serde_json::from_slice::<Event<'_>>(event).ok()?.content.get()).ok()?;
    content.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
