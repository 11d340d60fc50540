//! The first event of a room, and events that follow the room's ends.

use std::collections::HashMap;

use banyan_core::TimestampMicros;
use banyan_proto::rooms as proto;
use bytes::Bytes;
use ruma::{EventId, OwnedEventId};

use super::{MAX_ENTRY_NODES, PlaceError, PlaceRequest, Placement, Placer, changes::Change, head};
use crate::{
    auth::{self, AuthError},
    event_source::{KnownEvent, Standing},
    graph,
    pdu::Pdu,
    relation::Relation,
    state::{NodeHash, State, StateDelta, StateDifference, Written},
    version::RoomVersion,
};

/// The content and sender of a replaced event are repeated up to this size.
const MAX_PREV_CONTENT: usize = 8 * 1024;

/// What was found out about an event before its entry is made.
pub(super) struct Judged {
    pub(super) before: State,
    pub(super) after: Written,
    pub(super) standing: Standing,
    pub(super) extremities: Vec<OwnedEventId>,
    pub(super) current: State,
    /// Nodes made for the current state.
    pub(super) nodes: Vec<(NodeHash, Bytes)>,
    pub(super) differences: Vec<StateDifference>,
}

impl Placer {
    pub(super) async fn place_create(&self, request: PlaceRequest) -> Result<Placement, PlaceError> {
        let event = &request.event;
        if !event.is_create() {
            return Err(PlaceError::NotThisRoom("the room has no create event"));
        }
        check_version(event)?;
        auth::check_auth_events(event, &HashMap::new())?;
        let info = event.create_info().map_err(|problem| AuthError(problem.to_owned()))?;
        let head = proto::RoomHead {
            room_version: event.version().as_str().to_owned(),
            create_event_id: event.event_id().to_string(),
            current_buckets: 1,
            room_type: info.room_type().unwrap_or_default().to_owned(),
            ..proto::RoomHead::default()
        };
        self.linear(&head, &State::empty(), &[], request).await
    }

    pub(super) async fn place_after(&self, head: &proto::RoomHead, request: PlaceRequest) -> Result<Placement, PlaceError> {
        let version = RoomVersion::get(&head.room_version)?;
        let event = &request.event;
        if event.is_create() || event.version().as_str() != version.as_str() {
            return Err(PlaceError::NotThisRoom("the event is not of this room"));
        }
        let extremities = parse_ids(&head.extremities)?;
        let current = State::from_proto(head.current.as_ref().unwrap_or(&proto::StateRoot::default()))?;
        if request.referenced || !graph::is_at_head(event.prev_events(), &extremities) {
            return self.place_fork(head, &current, &extremities, request).await;
        }
        let known = match &request.known {
            Some(known) => known.clone(),
            None => self.auth_state(event, &current).await?,
        };
        auth::check(event, &known)?;
        self.check_auth_events(event, &known).await?;
        self.linear(head, &current, &extremities, request).await
    }

    /// The short way: the event is allowed and follows all ends.
    async fn linear(
        &self,
        head: &proto::RoomHead,
        current: &State,
        extremities: &[OwnedEventId],
        request: PlaceRequest,
    ) -> Result<Placement, PlaceError> {
        let event = &request.event;
        let after = self.state_after(event, current, request.now).await?;
        let mut differences = Vec::new();
        if let Some(key) = event.key() {
            let old = self.states().get(event.room_id(), current, &key).await?;
            differences.push(StateDifference { key, old, new: Some(event.event_id().to_owned()) });
        }
        let judged = Judged {
            before: current.clone(),
            current: after.state.clone(),
            standing: Standing::Accepted,
            extremities: graph::extremities_after(extremities, event, false),
            nodes: Vec::new(),
            after,
            differences,
        };
        self.finish(head, request, judged).await
    }

    /// The state after an event, given the one before it.
    pub(super) async fn state_after(&self, event: &Pdu, before: &State, now: TimestampMicros) -> Result<Written, PlaceError> {
        Ok(match event.key() {
            Some(key) => {
                let change = StateDelta { key, event_id: Some(event.event_id().to_owned()) };
                self.states().apply(event.room_id(), before, vec![change], now).await?
            }
            None => self.states().repeat(event.room_id(), before, now).await?,
        })
    }

    /// Makes what the entry says.
    pub(super) async fn finish(
        &self,
        head: &proto::RoomHead,
        request: PlaceRequest,
        judged: Judged,
    ) -> Result<Placement, PlaceError> {
        let PlaceRequest { event, transaction, now, .. } = request;
        let changes = self.changes(&event, judged.differences, &judged.current).await?;
        let replaced = self.replaced(&event, &judged.before, &changes).await?;
        let new_head = head::after(head, &event, judged.standing, &judged.extremities, &judged.current, &changes, now);
        let mut new_head = self.with_heroes(new_head, head, &event, &judged.current, &changes).await?;
        new_head.current_buckets = self.buckets(head, &event, &judged.current, &changes).await?;
        let soft_failed = judged.standing == Standing::SoftFailed;
        let prev = replaced.as_ref().filter(|prev| prev.content().get().len() <= MAX_PREV_CONTENT);
        let placed = proto::Placed {
            event_id: event.event_id().to_string(),
            pdu: event.json().clone(),
            arrival: head.next_arrival,
            sub: 0,
            soft_failed,
            state_after: Some(judged.after.state.to_proto()),
            replaces_state: replaced.as_ref().map(|prev| prev.event_id().to_string()).unwrap_or_default(),
            prev_content: prev.map(|prev| Bytes::copy_from_slice(prev.content().get().as_bytes())).unwrap_or_default(),
            prev_sender: prev.map(|prev| prev.sender().to_string()).unwrap_or_default(),
            transaction,
            relation: Relation::of_pdu(event.json()).map(|relation| relation.to_proto()),
        };
        let mut nodes = judged.after.nodes;
        nodes.extend(judged.nodes);
        if nodes.iter().map(|(_, node)| node.len()).sum::<usize>() > MAX_ENTRY_NODES {
            nodes.clear();
        }
        let known = KnownEvent { pdu: event, standing: judged.standing, state_after: Some(judged.after.state) };
        Ok(Placement {
            placed,
            head: new_head,
            current: changes.into_iter().map(|change| change.entry).collect(),
            nodes,
            standing: judged.standing,
            event: known,
            state_before: judged.before,
        })
    }

    /// The event that `event` replaces in the state before it.
    async fn replaced(&self, event: &Pdu, before: &State, changes: &[Change]) -> Result<Option<Pdu>, PlaceError> {
        let Some(key) = event.key() else { return Ok(None) };
        let room = event.room_id();
        let Some(id) = self.states().get(room, before, &key).await? else { return Ok(None) };
        if let Some(old) = changes.iter().filter_map(|change| change.old.as_ref()).find(|old| old.event_id() == id) {
            return Ok(Some(old.clone()));
        }
        Ok(self.known(room, event.version(), &[id]).await?.pop().map(|known| known.pdu))
    }
}

/// `content.room_version` must be the version the event was read by.
fn check_version(event: &Pdu) -> Result<(), AuthError> {
    #[derive(serde::Deserialize)]
    struct Content {
        room_version: Option<String>,
    }
    let content: Content = event.content_as().map_err(|error| AuthError(error.to_string()))?;
    let named = content.room_version.as_deref().unwrap_or("1");
    if named == event.version().as_str() {
        Ok(())
    } else {
        Err(AuthError(format!("the create event names room version {named}, not {}", event.version().as_str())))
    }
}

fn parse_ids(ids: &[String]) -> Result<Vec<OwnedEventId>, PlaceError> {
    ids.iter()
        .map(|id| EventId::parse(id.as_str()))
        .collect::<Result<_, _>>()
        .map_err(|error| PlaceError::State(crate::state::StateError::Corrupt(format!("a head's extremity: {error}"))))
}
