//! Receipts in a room's ephemeral section (client-server specification, "Receipts").

use std::collections::BTreeMap;

use banyan_core::LogSeq;
use banyan_proto::rooms::{Receipt, ReceiptRow};
use banyan_rooms::tables::receipt::PUBLIC;
use serde_json::{Map, Value, json};

use super::{Context, context::room_id};
use crate::{error::SyncError, tails::RoomPlan};

/// What the latest receipt of a kind is known by: thread, user, type.
type Key = (String, String, String);

/// The receipts to tell of a room, an event per thread, each JSON: those that moved since the token, or, of a room that is told from its
/// beginning, the newest 500 and all of the reader's own.
pub(super) async fn events(context: &Context, plan: &RoomPlan, whole: bool) -> Result<Vec<Vec<u8>>, SyncError> {
    let filter = &context.filter.ephemeral;
    if !filter.takes_room(&plan.room) || !filter.takes_type("m.receipt") {
        return Ok(Vec::new());
    }
    let mut latest = Latest { context, by_key: BTreeMap::new() };
    match (&plan.changes, plan.since) {
        (Some(changes), Some(_)) if !whole => {
            changes.iter().flat_map(|change| &change.receipts).for_each(|receipt| latest.add(receipt.clone()));
        }
        (_, since) => latest.add_rows(plan, since.filter(|_| !whole)).await?,
    }
    Ok(latest.into_events())
}

struct Latest<'a> {
    context: &'a Context,
    by_key: BTreeMap<Key, Receipt>,
}

impl Latest<'_> {
    /// Takes in a receipt that the reader may be told, which comes after those of its key before.
    fn add(&mut self, receipt: Receipt) {
        let own = receipt.user_id == *self.context.user;
        if own || (receipt.receipt_type == PUBLIC && !self.context.ignored.contains(&receipt.user_id)) {
            let key = (receipt.thread_id.clone(), receipt.user_id.clone(), receipt.receipt_type.clone());
            self.by_key.insert(key, receipt);
        }
    }

    /// Takes in what the rows say, of what moved at `since` or after it.
    async fn add_rows(&mut self, plan: &RoomPlan, since: Option<LogSeq>) -> Result<(), SyncError> {
        let id = room_id(&plan.room)?;
        let rooms = &self.context.source.rooms;
        let (all, own) = futures::future::try_join(rooms.recent_receipts(&id), rooms.receipts_of(&self.context.user, &id)).await?;
        let moved = |row: &ReceiptRow| since.is_none_or(|since| row.seq >= since.0);
        // The reader's own come from one table alone: two are not read at the same moment.
        let others = all.into_iter().filter(|row| row.receipt.as_ref().is_some_and(|of| of.user_id != *self.context.user));
        let receipts: Vec<Receipt> = others.chain(own).filter(moved).filter_map(|row| row.receipt).collect();
        receipts.into_iter().for_each(|receipt| self.add(receipt));
        Ok(())
    }

    /// One event per thread: receipts of one user that differ in their threads alone would hide each other in one.
    fn into_events(self) -> Vec<Vec<u8>> {
        let mut threads: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for ((thread, user, kind), receipt) in self.by_key {
            let mut data = json!({ "ts": receipt.ts });
            if !thread.is_empty() {
                data["thread_id"] = json!(thread);
            }
            let event = threads.entry(thread).or_default().entry(receipt.event_id).or_insert_with(|| json!({}));
            event[kind][user] = data;
        }
        let event = |content: Map<String, Value>| json!({ "content": content, "type": "m.receipt" }).to_string().into_bytes();
        threads.into_values().map(event).collect()
    }
}
