//! Running totals on their way into the log.

use std::collections::HashMap;

use banyan_core::{ServiceError, TimestampMicros};
use banyan_proto::rooms::{NotifyingEvent, Unread, UnreadTotal};
use banyan_rooms::{reader::RoomReader, tables::unread_total};
use moka::sync::Cache;
use ruma::{OwnedRoomId, RoomId};

use super::rules::Outcome;

/// Totals of one shard that stay in memory.
const REMEMBERED: u64 = 4_000;
/// Totals that are read at once.
const PER_READ: usize = 5_000;

/// Room, user and thread.
pub(super) type Key = (OwnedRoomId, String, String);

/// An event that is added.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) event_id: &'a str,
    pub(super) arrival: i64,
    pub(super) at: TimestampMicros,
}

/// The totals of a shard: as committed, and as they will be.
pub(super) struct Tally {
    reader: RoomReader,
    committed: Cache<Key, UnreadTotal>,
    drafts: HashMap<Key, UnreadTotal>,
}

impl Tally {
    pub(super) fn new(reader: RoomReader) -> Self {
        Self { reader, committed: Cache::new(REMEMBERED), drafts: HashMap::new() }
    }

    /// Reads totals that are not in memory.
    pub(super) async fn load(&mut self, room_id: &RoomId, wanted: &[(&str, &str)]) -> Result<(), ServiceError> {
        let key = |(user, thread): &(&str, &str)| (room_id.to_owned(), (*user).to_owned(), (*thread).to_owned());
        let lacking: Vec<(&str, &str)> = wanted.iter().filter(|of| !self.drafts.contains_key(&key(of))).copied().collect();
        let mut unknown = Vec::new();
        for of in lacking {
            match self.committed.get(&key(&of)) {
                Some(total) => drop(self.drafts.insert(key(&of), total)),
                None => unknown.push(of),
            }
        }
        for some in unknown.chunks(PER_READ) {
            let totals = unread_total::multi_get(&**self.reader.store(), room_id, some).await?;
            for (of, total) in some.iter().zip(totals) {
                self.drafts.insert(key(of), total.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A total as it will be; it was loaded.
    pub(super) fn get(&self, room_id: &RoomId, (user, thread): (&str, &str)) -> UnreadTotal {
        self.drafts.get(&(room_id.to_owned(), user.to_owned(), thread.to_owned())).copied().unwrap_or_default()
    }

    /// Changes a total; it was loaded.
    pub(super) fn change(
        &mut self,
        room_id: &RoomId,
        (user, thread): (&str, &str),
        change: impl FnOnce(&mut UnreadTotal),
    ) -> Unread {
        let key = (room_id.to_owned(), user.to_owned(), thread.to_owned());
        let total = self.drafts.entry(key).or_default();
        change(total);
        Unread { user_id: user.to_owned(), thread_id: thread.to_owned(), total: Some(*total), event: None }
    }

    /// Adds an event, unless it is among those that were added: then it was done before a retry. `base` is what everybody is notified
    /// of, for a user who differs.
    pub(super) fn add(
        &mut self,
        room_id: &RoomId,
        of: (&str, &str),
        event: Event<'_>,
        (outcome, base): (&Outcome, &Outcome),
    ) -> Option<Unread> {
        let total = self.get(room_id, of);
        if total.events > 0 && total.last >= event.arrival {
            return None;
        }
        let by = |mine: bool, theirs: bool| i64::from(mine) - i64::from(theirs);
        let mut unread = self.change(room_id, of, |total| {
            if total.events == 0 {
                total.first = event.arrival;
            }
            total.events += 1;
            total.last = event.arrival;
            total.notify += by(outcome.notify, base.notify);
            total.highlight += by(outcome.highlight, base.highlight);
        });
        unread.event =
            Some(NotifyingEvent { event_id: event.event_id.to_owned(), actions: outcome.actions.to_string(), at: event.at.0 });
        Some(unread)
    }

    /// What was changed is committed.
    pub(super) fn commit(&mut self) {
        for (key, total) in self.drafts.drain() {
            self.committed.insert(key, total);
        }
    }

    /// What was changed did not happen, as far as is known.
    pub(super) fn forget(&mut self) {
        self.drafts.clear();
        self.committed.invalidate_all();
    }
}
