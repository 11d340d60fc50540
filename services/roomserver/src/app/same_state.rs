//! State that is sent again as it is.

use banyan_core::ServiceError;
use banyan_rooms::event_builder::EventDraft;
use ruma::{CanonicalJsonObject, OwnedEventId};

use crate::actor::Turn;

/// The current event if it has the draft's sender and content: sending it again would change nothing.
pub(crate) async fn same_state(turn: &Turn, draft: &EventDraft) -> Result<Option<OwnedEventId>, ServiceError> {
    let Some(state_key) = &draft.state_key else { return Ok(None) };
    let Some(current) = turn.state_event(draft.kind.to_string(), state_key).await? else { return Ok(None) };
    let same = current.sender() == draft.sender
        && current.content_as::<CanonicalJsonObject>().is_ok_and(|content| content == draft.content);
    Ok(same.then(|| current.event_id().to_owned()))
}
