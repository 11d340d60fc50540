//! A turn of a room: look, build, authorise, propose.

use std::sync::Arc;

use banyan_core::{ServiceError, TimestampMicros};
use banyan_proto::rooms::{CurrentChange, Relation, RoomEntry, RoomHead, StateRoot, Transaction, room_entry::Kind};
use banyan_rooms::{
    auth::AuthState,
    event_builder::{self, EventDraft, Position},
    event_source::KnownEvent,
    pdu::Pdu,
    placement::{PlaceRequest, Placement},
    power::Powers,
    reader::RoomReader,
    state::{State, StateKey, States},
    version::RoomVersion,
};
use banyan_tenants::Tenants;
use banyan_users::UserReader;
use parking_lot::Mutex;
use ruma::{EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, ServerName, UInt, UserId, events::StateEventType};
use tokio::sync::OwnedMutexGuard;

use super::{
    known_state::KnownState,
    room::{Memory, RoomCell},
    shard::Shard,
};
use crate::{content::server_acl, errors};

/// A room while somebody has its turn. What is done to it counts when [`Turn::commit`] takes it over; a turn that is dropped before
/// leaves no trace.
pub(crate) struct Turn {
    pub(super) shard: Arc<Shard>,
    /// Keeps the room in memory while its entries are being committed.
    pub(super) cell: Arc<RoomCell>,
    pub(super) memory: OwnedMutexGuard<Memory>,
    pub(super) head: Option<Arc<RoomHead>>,
    pub(super) state: State,
    pub(super) entries: Vec<RoomEntry>,
    /// Events in the form they have after this turn.
    pub(super) events: Vec<KnownEvent>,
    /// Of the state within this turn, what was asked for.
    pub(super) known: Mutex<KnownState>,
    pub(super) committed: bool,
    pub(crate) now: TimestampMicros,
}

impl Turn {
    /// Waits for the turn of a room and loads it.
    pub(crate) async fn begin(shard: &Arc<Shard>, room_id: &RoomId) -> Result<Self, ServiceError> {
        let cell = shard.cell(room_id);
        let mut memory = cell.memory.clone().lock_owned().await;
        shard.check()?;
        memory.load(&shard.shared.reader, room_id).await?;
        let (head, state) = (memory.head.clone(), memory.state.clone());
        let known = Mutex::new(std::mem::take(&mut memory.known));
        let now = shard.shared.clock.now();
        let (entries, events) = (Vec::new(), Vec::new());
        Ok(Self { shard: shard.clone(), cell, memory, head, state, entries, events, known, committed: false, now })
    }

    /// The room.
    pub(crate) fn room_id(&self) -> &RoomId {
        &self.cell.room_id
    }

    /// Whether there is such a room.
    pub(crate) fn exists(&self) -> bool {
        self.head.is_some()
    }

    /// The room's head as it is within this turn.
    pub(crate) fn head(&self) -> Result<&RoomHead, ServiceError> {
        self.head.as_deref().ok_or_else(|| ServiceError::not_found("there is no such room"))
    }

    /// The room's version.
    pub(crate) fn version(&self) -> Result<&'static RoomVersion, ServiceError> {
        RoomVersion::get(&self.head()?.room_version).map_err(|error| ServiceError::internal(error.to_string()))
    }

    /// The room's current state.
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Current state events, those that are set.
    pub(crate) async fn state_events(&self, keys: &[StateKey]) -> Result<Vec<Pdu>, ServiceError> {
        let missing = self.known.lock().missing(keys);
        if !missing.is_empty() {
            let placer = &self.shard.placer;
            let found = placer.state_events(self.room_id(), self.version()?, &self.state, &missing).await.map_err(errors::place)?;
            self.known.lock().add(missing, found);
        }
        Ok(self.known.lock().get(keys))
    }

    /// One current state event.
    pub(crate) async fn state_event(
        &self,
        event_type: impl Into<StateEventType>,
        state_key: &str,
    ) -> Result<Option<Pdu>, ServiceError> {
        Ok(self.state_events(&[StateKey::new(event_type, state_key)]).await?.pop())
    }

    /// A user's membership; `leave` if they never had one.
    pub(crate) async fn membership(&self, user_id: &str) -> Result<String, ServiceError> {
        let event = self.state_event(StateEventType::RoomMember, user_id).await?;
        Ok(event.as_ref().and_then(Pdu::membership).unwrap_or("leave").to_owned())
    }

    /// The powers in the room.
    pub(crate) async fn powers(&self) -> Result<Powers, ServiceError> {
        self.shard.placer.powers(self.room_id(), self.version()?, &self.state).await.map_err(errors::place)
    }

    /// Refuses servers that the room's ACL shuts out; between tenants as between servers.
    pub(crate) async fn check_server(&self, server: &ServerName) -> Result<(), ServiceError> {
        let acl = self.state_event(StateEventType::RoomServerAcl, "").await?;
        server_acl::check(acl.as_ref(), server)
    }

    /// Now, as events say it.
    pub(crate) fn timestamp(&self) -> MilliSecondsSinceUnixEpoch {
        let millis = u64::try_from(self.now.as_millis()).unwrap_or(0);
        MilliSecondsSinceUnixEpoch(UInt::new_saturating(millis))
    }

    /// Makes an event at the end of the room, signed by its sender's server and by `co_signers`, and gives it its place.
    pub(crate) async fn send(
        &mut self,
        draft: EventDraft,
        transaction: Option<Transaction>,
        co_signers: &[&ServerName],
    ) -> Result<OwnedEventId, ServiceError> {
        let (event, state) = self.build_with_state(draft, co_signers).await?;
        let event_id = event.event_id().to_owned();
        self.place_knowing(event, transaction, Some(state)).await?;
        Ok(event_id)
    }

    /// Makes an event at the end of the room.
    pub(crate) async fn build(&self, draft: EventDraft, co_signers: &[&ServerName]) -> Result<Pdu, ServiceError> {
        self.build_with_state(draft, co_signers).await.map(|(event, _)| event)
    }

    /// The same, with the part of the current state that it is judged by.
    async fn build_with_state(&self, draft: EventDraft, co_signers: &[&ServerName]) -> Result<(Pdu, AuthState), ServiceError> {
        let (version, head) = (self.version()?, self.head()?);
        let keys = draft.required_keys(version).map_err(|error| errors::build(&error))?;
        let state = AuthState::new(self.state_events(&keys).await?);
        let extremities = event_ids(&head.extremities)?;
        let position = Position { version, room_id: self.room_id(), extremities: &extremities, depth: head.depth };
        let signers = &self.shard.shared.signers;
        let sender = draft.sender.server_name().to_owned();
        let mut event =
            event_builder::build(draft, position, &state, signers.get(&sender)?).map_err(|error| errors::build(&error))?;
        for server in co_signers.iter().filter(|server| ***server != *sender) {
            event = signers.get(server)?.co_sign(&event).map_err(|error| ServiceError::internal(error.to_string()))?;
        }
        Ok((event, state))
    }

    /// Gives an event its place, at the end or as a fork.
    pub(crate) async fn place(&mut self, event: Pdu, transaction: Option<Transaction>) -> Result<(), ServiceError> {
        self.place_knowing(event, transaction, None).await
    }

    async fn place_knowing(
        &mut self,
        event: Pdu,
        transaction: Option<Transaction>,
        known: Option<AuthState>,
    ) -> Result<(), ServiceError> {
        let request = PlaceRequest { transaction, known, ..PlaceRequest::new(event, self.now) };
        let placement = self.shard.placer.place(self.head.as_deref(), request).await.map_err(errors::place)?;
        let state_nodes = placement.entry_nodes();
        let Placement { mut placed, head, current, event, .. } = placement;
        if let Some(relation) = &mut placed.relation {
            self.find_target(relation).await?;
        }
        let state = match &event.state_after {
            Some(after) if head.current == placed.state_after => after.clone(),
            _ => State::from_proto(head.current.as_ref().unwrap_or(&StateRoot::default())).map_err(errors::state)?,
        };
        if !current.is_empty() {
            self.known.get_mut().clear();
        }
        self.state = state;
        self.head = Some(Arc::new(head.clone()));
        self.entries.push(RoomEntry {
            room_id: self.room_id().to_string(),
            head: Some(head),
            current,
            state_nodes,
            kind: Some(Kind::Placed(placed)),
            ..RoomEntry::default()
        });
        self.keep(event);
        Ok(())
    }

    /// Says where the event stands that another relates to. Whoever knows its id was told so when it had its place.
    async fn find_target(&self, relation: &mut Relation) -> Result<(), ServiceError> {
        let Ok(target) = EventId::parse(relation.event_id.as_str()) else { return Ok(()) };
        if let Some(place) = self.reader().place_of(self.room_id(), &target).await? {
            (relation.placed, relation.arrival, relation.sub) = (true, place.arrival, place.sub);
        }
        Ok(())
    }

    /// An event as it is kept now.
    pub(crate) async fn known(&self, event: &Pdu) -> Result<KnownEvent, ServiceError> {
        let ids = [event.event_id().to_owned()];
        let found = self.shard.placer.events().events(self.room_id(), self.version()?, &ids).await.map_err(errors::events)?;
        found.into_iter().next().ok_or_else(|| ServiceError::internal("an event that was there is gone"))
    }

    /// The tables.
    pub(crate) fn reader(&self) -> &RoomReader {
        &self.shard.shared.reader
    }

    /// The tables of users.
    pub(crate) fn users(&self) -> &UserReader {
        &self.shard.shared.users
    }

    /// The state tries.
    pub(crate) fn states(&self) -> &States {
        self.shard.placer.states()
    }

    /// The server names of this installation.
    pub(crate) fn tenants(&self) -> &Tenants {
        &self.shard.shared.tenants
    }

    /// Adds an entry that does not change the head.
    pub(crate) fn push(&mut self, kind: Kind) {
        self.entries.push(RoomEntry { room_id: self.room_id().to_string(), kind: Some(kind), ..RoomEntry::default() });
    }

    /// Whether this turn leaves something for later.
    pub(crate) fn has_intent(&self) -> bool {
        self.entries.iter().any(|entry| matches!(&entry.kind, Some(Kind::Intent(intent)) if !intent.done))
    }

    /// The change of a user's membership by the last event of this turn, with the event.
    pub(crate) fn member_change(&self, user_id: &UserId) -> Option<CurrentChange> {
        let RoomEntry { current, kind: Some(Kind::Placed(placed)), .. } = self.entries.last()? else { return None };
        let is_own = |change: &&CurrentChange| change.r#type == "m.room.member" && change.state_key == *user_id;
        let mut change = current.iter().find(is_own)?.clone();
        if change.pdu.is_empty() && change.event_id == placed.event_id {
            change.pdu = placed.pdu.clone();
        }
        Some(change)
    }

    /// From now on an event is this.
    pub(crate) fn keep(&mut self, event: KnownEvent) {
        self.known.get_mut().forget(event.pdu.event_id());
        self.shard.arriving.insert(event.clone());
        self.events.push(event);
    }

    /// The ids of events whose rows this turn changes.
    pub(super) fn event_ids(&self) -> Vec<OwnedEventId> {
        self.events.iter().map(|event| event.pdu.event_id().to_owned()).collect()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.committed {
            for event in &self.events {
                self.shard.arriving.remove(event.pdu.event_id());
            }
        }
        // What was looked up within a turn that changed something and came to nothing is not the room's.
        if self.committed || self.events.is_empty() {
            self.memory.known = std::mem::take(self.known.get_mut());
        }
    }
}

fn event_ids(ids: &[String]) -> Result<Vec<OwnedEventId>, ServiceError> {
    ids.iter().map(|id| EventId::parse(id).map_err(|error| ServiceError::internal(format!("a stored event id: {error}")))).collect()
}
