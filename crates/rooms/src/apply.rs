//! From entries of a room shard's log to rows.

use banyan_log::{Applier, DerivedRow, Entry};
use banyan_proto::rooms::{
    AliasByRoomRow, AliasChanged, AliasRow, CurrentChange, CurrentStateRow, EventRow, EventStanding, Forgotten, Gap, GapRow,
    ImportRow, Imported, Intent, IntentRow, Judged, MembershipRow, Notified, Outlier, Placed, Published, PublishedRow, ReceiptRow,
    Receipts, Received, Redacted, RoomEntry, RoomHead, StagedRow, TimelineRow, room_entry::Kind,
};
use banyan_store::{Write, key};
use bytes::Bytes;
use prost::Message;
use ruma::RoomId;

use crate::{
    RoomPlace,
    state::{NodeHash, store as state_node},
    tables::{
        alias_by_room, current_state, device_list, event, gap, import, intent, listed_room, membership_by_user, published_room,
        receipt, recent_receipt, room_alias, room_head, staged_event, timeline, transaction, unread_event, unread_total,
    },
};

mod indexes;

/// The largest membership event that is kept in the row of `membership_by_user`.
const MEMBERSHIP_PDU_LIMIT: usize = 16 * 1024;

/// Turns entries of room shards into rows. Pure: entries carry results, so a row depends on its entry alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoomApplier;

impl Applier for RoomApplier {
    fn derive(&self, entry: &Entry) -> Result<Vec<DerivedRow>, String> {
        let body = RoomEntry::decode(entry.body.clone()).map_err(|error| error.to_string())?;
        let mut rows = Rows { entry, room_id: &body.room_id, rows: Vec::new() };
        rows.nodes(&body)?;
        if let Some(head) = &body.head {
            rows.current(&body, head);
            rows.rows.push(room_head::put(&body.room_id, &RoomHead { seq: entry.seq.0, ..head.clone() }));
        }
        let listed = body.listed.as_ref();
        rows.rows.extend(body.listings.iter().flat_map(|change| listed_room::change(&body.room_id, change, listed)));
        if let Some(kind) = &body.kind {
            rows.kind(kind);
        }
        Ok(rows.rows)
    }
}

struct Rows<'a> {
    entry: &'a Entry,
    room_id: &'a str,
    rows: Vec<DerivedRow>,
}

impl Rows<'_> {
    const fn seq(&self) -> u64 {
        self.entry.seq.0
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Placed(placed) => self.placed(placed),
            Kind::StateChanged(_) => {}
            Kind::Received(received) => self.received(received),
            Kind::Unstaged(unstaged) => {
                self.rows.push(staged_event::delete(self.room_id, banyan_core::LogSeq(unstaged.received_seq)));
            }
            Kind::Outlier(outlier) => self.outlier(outlier),
            Kind::Judged(judged) => self.judged(judged),
            Kind::Redacted(redacted) => self.redacted(redacted),
            Kind::Forgotten(forgotten) => self.forgotten(forgotten),
            Kind::Gap(gap) => self.gap(gap),
            Kind::Imported(imported) => self.imported(imported),
            Kind::Alias(alias) => self.alias(alias),
            Kind::Published(published) => self.published(published),
            Kind::Intent(intent) => self.intent(intent),
            Kind::Receipts(receipts) => self.receipts(receipts),
            Kind::DeviceList(member) => self.rows.push(device_list::put(self.room_id, &member.user_id, self.seq())),
            Kind::Notified(notified) => self.notified(notified),
        }
    }

    fn nodes(&mut self, body: &RoomEntry) -> Result<(), String> {
        for node in &body.state_nodes {
            let room_id = <&RoomId>::try_from(body.room_id.as_str()).map_err(|error| error.to_string())?;
            let hash = NodeHash::from_slice(&node.hash).ok_or("a state node's hash has not 32 bytes")?;
            self.rows.push(DerivedRow {
                table: &state_node::STATE_NODE,
                partition: state_node::partition(room_id, &hash),
                write: Write::Put { clustering: key![&hash.0[..]], value: node.node.clone(), ttl: None },
            });
        }
        Ok(())
    }

    /// Current state: its rows, and the memberships among them by user.
    fn current(&mut self, body: &RoomEntry, head: &RoomHead) {
        let placed = match &body.kind {
            Some(Kind::Placed(placed)) => Some(placed),
            Some(Kind::Judged(Judged { placed: Some(placed), .. })) => Some(placed),
            _ => None,
        };
        for change in &body.current {
            let pdu = match placed {
                Some(placed) if change.pdu.is_empty() && placed.event_id == change.event_id => placed.pdu.clone(),
                _ => change.pdu.clone(),
            };
            let row = (!change.event_id.is_empty()).then(|| CurrentStateRow {
                event_id: change.event_id.clone(),
                pdu: pdu.clone(),
                seq: self.seq(),
            });
            let key = (change.r#type.as_str(), change.state_key.as_str());
            self.rows.extend(current_state::change(self.room_id, head.current_buckets, key, row.as_ref()));
            if change.r#type == "m.room.member" {
                self.membership(change, pdu, self.seq(), false);
            }
        }
    }

    fn membership(&mut self, change: &CurrentChange, pdu: Bytes, seq: u64, forgotten: bool) {
        let removed = change.event_id.is_empty();
        let row = MembershipRow {
            membership: if removed { "leave".to_owned() } else { change.membership.clone() },
            previous_membership: change.previous_membership.clone(),
            event_id: change.event_id.clone(),
            previous_event_id: change.previous_event_id.clone(),
            sender: change.sender.clone(),
            shard: u32::from(self.entry.log.shard.0),
            seq,
            stripped_state: change.stripped_state.clone(),
            pdu: if pdu.len() <= MEMBERSHIP_PDU_LIMIT { pdu } else { Bytes::new() },
            forgotten,
            at: self.entry.timestamp.0,
        };
        self.rows.push(membership_by_user::put(&change.state_key, self.room_id, &row));
    }

    fn placed(&mut self, placed: &Placed) {
        let place = RoomPlace::new(placed.arrival, placed.sub);
        let row = timeline::row_of(placed, self.seq(), self.entry.timestamp.0, false);
        let event_row = EventRow {
            standing: timeline::standing_of(&row).into(),
            placed: true,
            arrival: placed.arrival,
            sub: placed.sub,
            pdu: Bytes::new(),
            seq: self.seq(),
            state_after: placed.state_after.clone(),
        };
        self.rows.push(event::put(self.room_id, &placed.event_id, &event_row));
        self.rows.push(timeline::put(self.room_id, place, &row));
        if !placed.soft_failed {
            self.rows.extend(indexes::of_placed(self.room_id, self.seq(), placed));
        }
        if let Some(txn) = &placed.transaction {
            self.rows.push(transaction::put(txn, self.room_id, &placed.event_id));
        }
    }

    fn received(&mut self, received: &Received) {
        let row = StagedRow { event_id: received.event_id.clone(), pdu: received.pdu.clone(), origin: received.origin.clone() };
        self.rows.push(staged_event::put(self.room_id, self.entry.seq, &row));
    }

    fn unplaced(&mut self, event_id: &str, pdu: Bytes, standing: i32) {
        let row = EventRow { standing, pdu, seq: self.seq(), ..EventRow::default() };
        self.rows.push(event::put(self.room_id, event_id, &row));
    }

    fn outlier(&mut self, outlier: &Outlier) {
        self.unplaced(&outlier.event_id, outlier.pdu.clone(), outlier.standing);
    }

    fn judged(&mut self, judged: &Judged) {
        match &judged.placed {
            Some(placed) => self.placed(placed),
            None => self.unplaced(&judged.event_id, judged.pdu.clone(), judged.standing),
        }
    }

    fn redacted(&mut self, redacted: &Redacted) {
        self.rows.extend(indexes::of_redacted(self.room_id, redacted));
        if redacted.placed {
            let row = TimelineRow {
                event_id: redacted.event_id.clone(),
                pdu: redacted.pruned_pdu.clone(),
                seq: redacted.placed_seq,
                received: redacted.received,
                state_after: redacted.state_after.clone(),
                soft_failed: redacted.soft_failed,
                replaces_state: redacted.replaces_state.clone(),
                prev_content: redacted.prev_content.clone(),
                prev_sender: redacted.prev_sender.clone(),
                transaction: redacted.transaction.clone(),
                redaction_event_id: redacted.redaction_event_id.clone(),
                redaction_pdu: redacted.redaction_pdu.clone(),
                gap_before: redacted.gap_before,
            };
            self.rows.push(timeline::put(self.room_id, RoomPlace::new(redacted.arrival, redacted.sub), &row));
        } else {
            self.unplaced(&redacted.event_id, redacted.pruned_pdu.clone(), redacted.standing);
        }
        if let Some(change) = &redacted.current {
            let key = (change.r#type.as_str(), change.state_key.as_str());
            let row =
                CurrentStateRow { event_id: change.event_id.clone(), pdu: redacted.pruned_pdu.clone(), seq: redacted.current_seq };
            self.rows.extend(current_state::change(self.room_id, redacted.current_buckets, key, Some(&row)));
            if change.r#type == "m.room.member" {
                self.membership(change, redacted.pruned_pdu.clone(), redacted.current_seq, false);
            }
        }
    }

    fn forgotten(&mut self, forgotten: &Forgotten) {
        if let Some(change) = &forgotten.membership {
            self.membership(change, change.pdu.clone(), self.seq(), true);
        }
    }

    fn gap(&mut self, gap: &Gap) {
        let row = (!gap.closed).then(|| GapRow { missing: gap.missing.clone(), seq: self.seq() });
        self.rows.push(gap::change(self.room_id, RoomPlace::new(gap.arrival, gap.sub), row.as_ref()));
    }

    fn imported(&mut self, imported: &Imported) {
        let row = ImportRow {
            state: imported.state.clone(),
            first_arrival: imported.first_arrival,
            last_arrival: imported.last_arrival,
            via: imported.via.clone(),
            seq: self.seq(),
        };
        self.rows.push(import::put(self.room_id, &imported.import_id, &row));
    }

    fn alias(&mut self, change: &AliasChanged) {
        let seq = self.seq();
        if change.room_id_of_alias.is_empty() {
            self.rows.push(room_alias::delete(&change.alias));
        } else {
            let row = AliasRow {
                room_id: change.room_id_of_alias.clone(),
                creator: change.creator.clone(),
                servers: change.servers.clone(),
                seq,
            };
            self.rows.push(room_alias::put(&change.alias, &row));
            let row = AliasByRoomRow { creator: change.creator.clone(), seq };
            self.rows.push(alias_by_room::put(&change.room_id_of_alias, &change.alias, &row));
        }
        if !change.previous_room_id.is_empty() && change.previous_room_id != change.room_id_of_alias {
            self.rows.push(alias_by_room::delete(&change.previous_room_id, &change.alias));
        }
    }

    fn published(&mut self, published: &Published) {
        let row = published.published.then(|| PublishedRow { seq: self.seq(), joined: published.joined });
        self.rows.push(published_room::change(&published.tenant, self.room_id, row.as_ref()));
    }

    fn intent(&mut self, intent: &Intent) {
        let row = (!intent.done).then(|| IntentRow { command: intent.command.clone(), seq: self.seq() });
        self.rows.push(intent::change(self.entry.log, self.room_id, &intent.name, row.as_ref()));
    }

    fn receipts(&mut self, receipts: &Receipts) {
        for receipt in &receipts.receipts {
            let row = ReceiptRow { receipt: Some(receipt.clone()), seq: self.seq() };
            self.rows.push(receipt::put(self.room_id, receipt, &row));
            if receipt.receipt_type == receipt::PUBLIC {
                self.rows.push(recent_receipt::put(self.room_id, receipt.slot, &row));
            }
        }
    }

    fn notified(&mut self, notified: &Notified) {
        for unread in &notified.unread {
            let Some(total) = &unread.total else { continue };
            let of = (unread.user_id.as_str(), unread.thread_id.as_str());
            self.rows.push(unread_total::put(self.room_id, of, total, self.entry.seq));
            if let Some(event) = &unread.event {
                self.rows.push(unread_event::put(self.room_id, of, total, event));
            }
        }
    }
}

/// The standing of a stored number; what is not known counts as rejected.
#[must_use]
pub fn standing(number: i32) -> EventStanding {
    EventStanding::try_from(number).unwrap_or(EventStanding::Rejected)
}

#[cfg(test)]
mod tests;
