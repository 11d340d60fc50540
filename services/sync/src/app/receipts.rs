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
    Ok(read(context, plan, whole).await?.into_events())
}

/// The receipts that moved since the token, or (`whole`) the newest 500 and all of the reader's own.
pub(crate) async fn read(context: &Context, plan: &RoomPlan, whole: bool) -> Result<Latest, SyncError> {
    let mut latest = Latest::default();
    match (&plan.changes, plan.since) {
        (Some(changes), Some(_)) if !whole => {
            let receipts = changes.iter().flat_map(|change| &change.receipts);
            receipts.for_each(|receipt| latest.add(context, receipt.clone()));
        }
        (_, since) => latest.add_rows(context, plan, since.filter(|_| !whole)).await?,
    }
    Ok(latest)
}

/// The latest receipt of each kind.
#[derive(Debug, Default)]
pub(crate) struct Latest(BTreeMap<Key, Receipt>);

impl Latest {
    /// Takes in a receipt that the reader may be told, which comes after those of its key before.
    fn add(&mut self, context: &Context, receipt: Receipt) {
        let own = receipt.user_id == *context.user;
        if own || (receipt.receipt_type == PUBLIC && !context.ignored.contains(&receipt.user_id)) {
            let key = (receipt.thread_id.clone(), receipt.user_id.clone(), receipt.receipt_type.clone());
            self.0.insert(key, receipt);
        }
    }

    /// Takes in what the rows say, of what moved at `since` or after it.
    async fn add_rows(&mut self, context: &Context, plan: &RoomPlan, since: Option<LogSeq>) -> Result<(), SyncError> {
        let id = room_id(&plan.room)?;
        let rooms = &context.source.rooms;
        let (all, own) = futures::future::try_join(rooms.recent_receipts(&id), rooms.receipts_of(&context.user, &id)).await?;
        let moved = |row: &ReceiptRow| since.is_none_or(|since| row.seq >= since.0);
        // The reader's own come from one table alone: two are not read at the same moment.
        let others = all.into_iter().filter(|row| row.receipt.as_ref().is_some_and(|of| of.user_id != *context.user));
        let receipts: Vec<Receipt> = others.chain(own).filter(moved).filter_map(|row| row.receipt).collect();
        receipts.into_iter().for_each(|receipt| self.add(context, receipt));
        Ok(())
    }

    /// Leaves those that `keep` takes.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Receipt) -> bool) {
        self.0.retain(|_, receipt| keep(receipt));
    }

    /// Takes in all of another, which is as new.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// One event per thread: receipts of one user that differ in their threads alone would hide each other in one.
    fn into_events(self) -> Vec<Vec<u8>> {
        let mut threads: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for ((thread, user, kind), receipt) in self.0 {
            let data = data(&thread, &receipt);
            let event = threads.entry(thread).or_default().entry(receipt.event_id).or_insert_with(|| json!({}));
            event[kind][user] = data;
        }
        threads.values().map(event).collect()
    }

    /// One event for all: where a user's receipts for an event differ in their threads alone, the one of no thread counts, which is for all
    /// of them. `None`: there are none.
    pub(crate) fn into_event(self) -> Option<Vec<u8>> {
        let mut content = Map::new();
        // Of no thread comes first.
        for ((thread, user, kind), receipt) in self.0 {
            let data = data(&thread, &receipt);
            let users = &mut content.entry(receipt.event_id).or_insert_with(|| json!({}))[kind];
            if users.get(&user).is_none() {
                users[user] = data;
            }
        }
        (!content.is_empty()).then(|| event(&content))
    }
}

fn data(thread: &str, receipt: &Receipt) -> Value {
    let mut data = json!({ "ts": receipt.ts });
    if !thread.is_empty() {
        data["thread_id"] = json!(thread);
    }
    data
}

fn event(content: &Map<String, Value>) -> Vec<u8> {
    json!({ "content": content, "type": "m.receipt" }).to_string().into_bytes()
}
