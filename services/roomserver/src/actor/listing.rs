//! The room in the directories of tenants: whatever a turn changes of what they show goes into its entries.

use std::sync::Arc;

use banyan_core::ServiceError;
use banyan_proto::rooms::{CurrentChange, Listing, ListingChange, Published, RoomEntry, RoomHead, RoomSummary, room_entry::Kind};
use banyan_rooms::{
    state::StateKey,
    summary::{self, TYPES},
    tables::listed_room::rank,
};

use super::Turn;

impl Turn {
    /// Publishes the room in a tenant's directory, or takes it out; answers whether that changes anything.
    pub(crate) fn publish(&mut self, tenant: &str, published: bool) -> Result<bool, ServiceError> {
        let mut head = self.head()?.clone();
        let listed = head.listings.iter().position(|listing| listing.tenant == tenant);
        let listings = match listed {
            None if published => {
                head.listings.push(Listing { tenant: tenant.to_owned(), rank: None });
                Vec::new()
            }
            Some(index) if !published => {
                let Listing { tenant, rank } = head.listings.remove(index);
                vec![ListingChange { tenant, previous_rank: rank, rank: None }]
            }
            _ => return Ok(false),
        };
        let kind = Kind::Published(Published { tenant: tenant.to_owned(), published, joined: head.joined });
        self.entries.push(RoomEntry {
            room_id: self.room_id().to_string(),
            head: Some(head.clone()),
            kind: Some(kind),
            listings,
            ..RoomEntry::default()
        });
        self.head = Some(Arc::new(head));
        Ok(true)
    }

    /// Adds to the entries of this turn how the room's rows in directories change by them.
    pub(super) async fn update_listings(&mut self) -> Result<(), ServiceError> {
        let Some(head) = &self.head else { return Ok(()) };
        if head.listings.is_empty() || !self.entries.iter().any(changes_listings) {
            return Ok(());
        }
        let mut head = RoomHead::clone(head);
        let summary = self.summary().await?;
        let shown = summary.joined > 0 && summary::is_open(&summary);
        let change = |listing: &mut Listing| {
            let previous_rank = listing.rank;
            listing.rank = shown.then(|| rank(previous_rank, summary.joined));
            let change = ListingChange { tenant: listing.tenant.clone(), previous_rank, rank: listing.rank };
            (shown || previous_rank.is_some()).then_some(change)
        };
        let changes: Vec<ListingChange> = head.listings.iter_mut().filter_map(change).collect();
        // What changes a listing changes the head.
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.head.is_some()) {
            entry.head = Some(head.clone());
            entry.listings.extend(changes);
            entry.listed = shown.then_some(summary);
            self.head = Some(Arc::new(head));
        }
        Ok(())
    }

    /// The room as directories show it.
    async fn summary(&self) -> Result<RoomSummary, ServiceError> {
        let keys = TYPES.map(|event_type| StateKey::new(event_type, ""));
        let events = self.state_events(&keys).await?;
        let state: Vec<(String, &str)> = events.iter().map(|event| (event.kind().to_string(), event.content().get())).collect();
        let state = state.iter().map(|(event_type, content)| (event_type.as_str(), *content));
        Ok(summary::listed(summary::summarise(self.head()?, state)))
    }
}

/// Whether an entry changes what directories show of its room.
fn changes_listings(entry: &RoomEntry) -> bool {
    let redacted = match &entry.kind {
        Some(Kind::Published(published)) => return published.published,
        Some(Kind::Redacted(redacted)) => redacted.current.as_ref(),
        _ => None,
    };
    entry.current.iter().chain(redacted).any(is_shown)
}

/// Whether a change of state is one of what directories show.
fn is_shown(change: &CurrentChange) -> bool {
    let is_join = |membership: &str| membership == "join";
    match change.r#type.as_str() {
        "m.room.member" => is_join(&change.membership) != is_join(&change.previous_membership),
        event_type => change.state_key.is_empty() && TYPES.contains(&event_type),
    }
}
