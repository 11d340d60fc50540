//! The head of a room after an event.

use banyan_core::TimestampMicros;
use banyan_proto::rooms as proto;
use ruma::OwnedEventId;

use super::{PlaceError, Placer, changes::Change};
use crate::{event_source::Standing, heroes, pdu::Pdu, state::State, tables::current_state};

/// How many members are looked at to find a hero in place of one who left.
const HERO_SEARCH: usize = 200;

/// The head after `event`, but for its heroes.
pub(super) fn after(
    head: &proto::RoomHead,
    event: &Pdu,
    standing: Standing,
    extremities: &[OwnedEventId],
    current: &State,
    changes: &[Change],
    now: TimestampMicros,
) -> proto::RoomHead {
    let mut head = head.clone();
    head.next_arrival += 1;
    if standing != Standing::Accepted {
        return head;
    }
    head.extremities = extremities.iter().map(ToString::to_string).collect();
    head.depth = head.depth.max(event.depth());
    head.current = Some(current.to_proto());
    if ACTIVITY.contains(&event.kind().to_string().as_str()) {
        head.bump_stamp = now.0;
    }
    for change in changes {
        let (was, is) = (change.entry.previous_membership.as_str(), change.entry.membership.as_str());
        count(&mut head.joined, was == "join", is == "join");
        count(&mut head.invited, was == "invite", is == "invite");
    }
    head
}

fn count(number: &mut u64, was: bool, is: bool) {
    match (was, is) {
        (false, true) => *number += 1,
        (true, false) => *number = number.saturating_sub(1),
        _ => {}
    }
}

/// The types of events that move a room up in a list of rooms.
const ACTIVITY: [&str; 9] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
    "m.beacon_info",
    "org.matrix.msc3672.beacon_info",
];

fn is_active(membership: &str) -> bool {
    matches!(membership, "join" | "invite")
}

impl Placer {
    /// The head with the heroes that follow from the changes.
    pub(super) async fn with_heroes(
        &self,
        mut head: proto::RoomHead,
        before: &proto::RoomHead,
        event: &Pdu,
        current: &State,
        changes: &[Change],
    ) -> Result<proto::RoomHead, PlaceError> {
        let mut active = before.joined + before.invited;
        let mut search = false;
        let changes = changes.iter().filter(|change| change.entry.r#type == "m.room.member");
        for entry in changes.map(|change| &change.entry) {
            let (was, is) = (is_active(&entry.previous_membership), is_active(&entry.membership));
            search |= heroes::change(&mut head.heroes, active, &entry.state_key, was, is);
            count(&mut active, was, is);
        }
        if search {
            let members = self.earliest_members(event, current).await?;
            heroes::refill(&mut head.heroes, active, members);
        }
        Ok(head)
    }

    /// The partitions of current state from now on: more as the room grows.
    pub(super) async fn buckets(
        &self,
        before: &proto::RoomHead,
        event: &Pdu,
        current: &State,
        changes: &[Change],
    ) -> Result<u32, PlaceError> {
        if changes.iter().all(|change| !change.entry.previous_event_id.is_empty()) {
            return Ok(before.current_buckets);
        }
        let size = self.states().rough_size(event.room_id(), current).await?;
        Ok(current_state::buckets_for(size.members + size.others, before.current_buckets))
    }

    /// Active members by order of coming; of a large room those of one page.
    async fn earliest_members(&self, event: &Pdu, current: &State) -> Result<Vec<String>, PlaceError> {
        let page = self.states().page(event.room_id(), current, None, HERO_SEARCH).await?;
        let ids: Vec<OwnedEventId> =
            page.entries.into_iter().filter(|(key, _)| key.as_member().is_some()).map(|(_, id)| id).collect();
        let mut members = self.events_with(event, ids).await?;
        members.retain(|member| member.membership().is_some_and(is_active));
        members
            .sort_by(|a, b| (a.depth(), a.origin_server_ts(), a.event_id()).cmp(&(b.depth(), b.origin_server_ts(), b.event_id())));
        Ok(members.iter().filter_map(|member| member.state_key().map(str::to_owned)).collect())
    }
}
