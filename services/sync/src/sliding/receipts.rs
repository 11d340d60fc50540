//! The extension `receipts` (MSC3960).

use std::collections::HashSet;

use super::rooms::{Ask, Told};
use crate::{
    app::{Context, receipts},
    error::SyncError,
    tails::change::Membership,
};

/// The receipts of a room that the client lacks, as an event (JSON). Of a room that is told from its beginning, and of an older part of a
/// timeline, those for events that are told; and the reader's own.
pub(super) async fn tell(context: &Context, ask: &Ask<'_>, told: &Told) -> Result<Option<Vec<u8>>, SyncError> {
    if !ask.receipts || ask.plan.standing.membership != Membership::Join {
        return Ok(None);
    }
    let has = ask.sent.is_some_and(|sent| sent.receipts) && !told.initial;
    let mut latest = receipts::read(context, ask.plan, !has).await?;
    if told.initial || told.expanded {
        let shown = told.timeline.iter().flat_map(|timeline| &timeline.events);
        let shown: HashSet<&str> = shown.map(|shown| shown.event.stored.event_id.as_str()).collect();
        let mut all = if has { receipts::read(context, ask.plan, true).await? } else { std::mem::take(&mut latest) };
        all.retain(|receipt| receipt.user_id == *context.user || shown.contains(receipt.event_id.as_str()));
        latest.extend(all);
    }
    Ok(latest.into_event())
}
