//! The slots of `recent_receipt`: which one a receipt takes.

use std::collections::{BTreeMap, HashMap};

use banyan_proto::rooms::ReceiptRow;
use banyan_rooms::tables::recent_receipt::SLOTS;

/// User and thread of a public receipt.
type Name = (String, String);

/// The slots of a room, by whose they are and by age.
pub(super) struct Slots {
    taken: HashMap<Name, (u64, u32)>,
    /// The oldest first.
    ages: BTreeMap<u64, Name>,
    next: u64,
}

impl Slots {
    /// As the rows have them.
    pub(super) fn new(mut rows: Vec<ReceiptRow>) -> Self {
        rows.sort_by_key(|row| row.seq);
        let mut slots = Self { taken: HashMap::new(), ages: BTreeMap::new(), next: 0 };
        for receipt in rows.into_iter().filter_map(|row| row.receipt) {
            slots.set((receipt.user_id, receipt.thread_id), receipt.slot);
        }
        slots
    }

    /// The slot of a receipt that moves: its own, else a free one, else that of the oldest.
    pub(super) fn take(&mut self, user_id: &str, thread_id: &str) -> u32 {
        let name = (user_id.to_owned(), thread_id.to_owned());
        let own = self.remove(&name);
        let slot = own.or_else(|| self.free()).or_else(|| {
            let oldest = self.ages.first_key_value().map(|(_, name)| name.clone());
            oldest.and_then(|oldest| self.remove(&oldest))
        });
        let slot = slot.unwrap_or_default();
        self.set(name, slot);
        slot
    }

    /// Slots are taken in their order, and never given back.
    fn free(&self) -> Option<u32> {
        u32::try_from(self.taken.len()).ok().filter(|count| *count < SLOTS)
    }

    fn remove(&mut self, name: &Name) -> Option<u32> {
        let (age, slot) = self.taken.remove(name)?;
        self.ages.remove(&age);
        Some(slot)
    }

    fn set(&mut self, name: Name, slot: u32) {
        self.ages.insert(self.next, name.clone());
        self.taken.insert(name, (self.next, slot));
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use banyan_proto::rooms::Receipt;

    use super::*;

    fn row(user: u32, seq: u64, slot: u32) -> ReceiptRow {
        let receipt = Receipt { user_id: format!("@{user}:x"), slot, ..Receipt::default() };
        ReceiptRow { receipt: Some(receipt), seq }
    }

    #[test]
    fn a_receipt_keeps_its_slot_and_a_new_one_takes_a_free_one() {
        let mut slots = Slots::new(vec![row(1, 10, 1), row(0, 20, 0)]);
        assert_eq!(slots.take("@0:x", ""), 0);
        assert_eq!(slots.take("@1:x", ""), 1);
        assert_eq!(slots.take("@0:x", "main"), 2);
        assert_eq!(slots.take("@0:x", "main"), 2);
    }

    #[test]
    fn when_all_are_taken_the_oldest_goes() {
        let rows = (0..SLOTS).map(|n| row(n, u64::from(SLOTS - n), n)).collect();
        let mut slots = Slots::new(rows);
        assert_eq!(slots.take(&format!("@{}:x", SLOTS - 1), ""), SLOTS - 1, "its own, though it is the oldest");
        assert_eq!(slots.take("@new:x", ""), SLOTS - 2);
        assert_eq!(slots.take("@newer:x", ""), SLOTS - 3);
    }
}
