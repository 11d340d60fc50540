//! Rooms that the user is invited to or knocks at.

use banyan_rooms::client_event::stripped_event;

use super::Context;
use crate::{
    error::SyncError,
    tails::{RoomPlan, warm::Approach},
};

/// The state of an invite; `None` if it comes from an ignored user, or to a user who takes none.
pub(crate) async fn invited(context: &Context, plan: &RoomPlan) -> Result<Option<Vec<Vec<u8>>>, SyncError> {
    let Some(approach) = &plan.standing.approach else { return Ok(None) };
    if context.ignored.contains(&approach.sender) || context.source.blocks_invites(&context.user).await? {
        return Ok(None);
    }
    state(context, approach).map(Some)
}

/// The state of a knock.
pub(crate) fn knocked(context: &Context, plan: &RoomPlan) -> Result<Vec<Vec<u8>>, SyncError> {
    plan.standing.approach.as_ref().map_or_else(|| Ok(Vec::new()), |approach| state(context, approach))
}

/// The stripped state that came with it, and the user's own member event.
fn state(context: &Context, approach: &Approach) -> Result<Vec<Vec<u8>>, SyncError> {
    let others = approach.stripped.iter().filter(|event| !is_own(context, event));
    let mut events: Vec<Vec<u8>> = others.map(|event| event.to_vec()).collect();
    let own = if approach.pdu.is_empty() {
        approach.stripped.iter().find(|event| is_own(context, event)).map(|event| event.to_vec())
    } else {
        Some(stripped_event(&approach.pdu)?)
    };
    events.extend(own);
    Ok(events)
}

fn is_own(context: &Context, event: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Stripped {
        #[serde(rename = "type")]
        kind: String,
        state_key: String,
    }
    serde_json::from_slice::<Stripped>(event)
        .is_ok_and(|event| event.kind == "m.room.member" && event.state_key == context.user.as_str())
}
