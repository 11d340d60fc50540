//! What the tails keep of log entries.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use banyan_core::{LogSeq, TimestampMicros};
use banyan_proto::rooms::Receipt;
use banyan_rooms::{ReadError, RoomPlace, client_event, reader::StoredEvent};
use bytes::Bytes;
use parking_lot::RwLock;
use ruma::OwnedEventId;
use serde::Deserialize;

/// An event as clients are shown it, without what depends on who reads it.
#[derive(Debug)]
pub struct RoomEvent {
    /// The event. Its `state_after` is kept only where `forked`.
    pub stored: StoredEvent,
    /// Who sent it.
    pub sender: String,
    /// Its type.
    pub kind: String,
    /// Set for state events.
    pub state_key: Option<String>,
    /// Whether the state after it was not the current state of its room when it came, or is not known to have been.
    pub forked: bool,
    base: OnceLock<Bytes>,
}

/// The members of an event that sync looks at.
#[derive(Deserialize)]
struct Outline {
    #[serde(rename = "type")]
    kind: String,
    sender: String,
    #[serde(default)]
    state_key: Option<String>,
}

impl RoomEvent {
    /// Reads the outline of an event.
    ///
    /// # Errors
    /// Text that is no event.
    pub fn new(stored: StoredEvent, forked: bool) -> Result<Self, ReadError> {
        let outline = serde_json::from_slice(&stored.pdu)
            .map_err(|error| ReadError::Corrupt { table: "timeline", problem: format!("{}: {error}", stored.event_id) })?;
        let Outline { kind, sender, state_key } = outline;
        Ok(Self { stored, sender, kind, state_key, forked, base: OnceLock::new() })
    }

    /// Type and state key of a state event.
    #[must_use]
    pub fn state(&self) -> Option<(&str, &str)> {
        self.state_key.as_deref().map(|key| (self.kind.as_str(), key))
    }

    /// The client format without `unsigned` and the last brace: made once, shared by all readers.
    ///
    /// # Errors
    /// If the stored event is not one.
    pub fn base(&self) -> Result<Bytes, ReadError> {
        if let Some(base) = self.base.get() {
            return Ok(base.clone());
        }
        let base = Bytes::from(client_event::client_event_base(&self.stored.pdu, &self.stored.event_id, None)?);
        Ok(self.base.get_or_init(|| base).clone())
    }

    /// Bytes it takes, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let body = self.stored.pdu.len() * 2 + self.stored.prev_content.len();
        512 + self.sender.len() + self.kind.len() + body + self.stored.state_after.deltas.len() * 96
    }
}

/// An event that all who hold it see pruned once it is redacted.
pub struct EventCell(RwLock<Arc<RoomEvent>>);

impl EventCell {
    /// A cell of an event.
    #[must_use]
    pub fn new(event: RoomEvent) -> Self {
        Self(RwLock::new(Arc::new(event)))
    }

    /// The event as it is now.
    #[must_use]
    pub fn get(&self) -> Arc<RoomEvent> {
        self.0.read().clone()
    }

    /// Replaces its content by what a redaction leaves.
    pub fn prune(&self, pdu: Bytes, redaction: Option<(OwnedEventId, Bytes)>) {
        let mut event = self.0.write();
        *event = Arc::new(RoomEvent {
            stored: StoredEvent { pdu, redaction, ..event.stored.clone() },
            sender: event.sender.clone(),
            kind: event.kind.clone(),
            state_key: event.state_key.clone(),
            forked: event.forked,
            base: OnceLock::new(),
        });
    }
}

impl fmt::Debug for EventCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventCell").field(&self.0.read().stored.event_id).finish()
    }
}

/// A user's standing in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Membership {
    /// Not in the room; also what was never in it.
    #[default]
    Leave,
    /// In the room.
    Join,
    /// Invited.
    Invite,
    /// Asked to be let in.
    Knock,
    /// Banned.
    Ban,
}

impl Membership {
    /// Reads the `membership` of an event; what is not known counts as having left.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "join" => Self::Join,
            "invite" => Self::Invite,
            "knock" => Self::Knock,
            "ban" => Self::Ban,
            _ => Self::Leave,
        }
    }

    /// The `membership` of an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Ban => "ban",
        }
    }
}

/// A change of someone's membership.
#[derive(Clone, Debug)]
pub struct MemberChange {
    /// From now on.
    pub now: Membership,
    /// Until now.
    pub before: Membership,
    /// Who changed it.
    pub sender: String,
    /// For invites and knocks: stripped state events, each JSON.
    pub stripped: Vec<Bytes>,
}

/// A change of current state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// Event type.
    pub kind: String,
    /// State key.
    pub key: String,
    /// The event from now on; empty where the key was removed.
    pub event_id: String,
    /// The event, where the entry carried it.
    pub event: Option<Arc<EventCell>>,
    /// For memberships.
    pub member: Option<MemberChange>,
}

/// Whose counts of what is unread were moved by events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Everybody's but the senders'.
    pub everybody: bool,
    /// These users'.
    pub users: Vec<String>,
}

/// An entry of a room's log that readers may have to be told of.
#[derive(Debug)]
pub struct RoomChange {
    /// Its position.
    pub seq: LogSeq,
    /// When it was committed.
    pub at: TimestampMicros,
    /// The room.
    pub room: Arc<str>,
    /// The event that arrived, unless it may not be shown.
    pub event: Option<Arc<EventCell>>,
    /// How current state changed.
    pub state: Vec<StateChange>,
    /// Receipts that moved.
    pub receipts: Vec<Receipt>,
    /// A member whose devices changed.
    pub device_list: Option<String>,
    /// What notified of events before.
    pub counted: Option<Counted>,
    /// History is missing just before this place.
    pub gap: Option<RoomPlace>,
    /// State or timeline changed by more than the entry tells: readers go to the rows.
    pub bulk: bool,
    /// Whether it wakes all readers.
    pub wakes: bool,
    /// The W3C trace context that brought it; empty if it is not recorded.
    pub trace: String,
    /// Bytes it takes, roughly.
    pub weight: usize,
}

impl RoomChange {
    /// Whether what `user` has not read of the room may have become more or less.
    #[must_use]
    pub fn moves_counts_of(&self, user: &str) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.everybody) || self.counts_of().any(|of| of == user)
    }

    /// Users whose own counts it moves: by what notified them, or by what they read.
    pub fn counts_of(&self) -> impl Iterator<Item = &str> {
        let counted = self.counted.iter().flat_map(|counted| &counted.users);
        counted.chain(self.receipts.iter().map(|receipt| &receipt.user_id)).map(String::as_str)
    }

    /// The change of `user`'s membership, if there is one.
    #[must_use]
    pub fn membership_of(&self, user: &str) -> Option<&StateChange> {
        self.state.iter().find(|change| change.member.is_some() && change.key == user)
    }
}

/// What happened to a user.
#[derive(Clone, Debug)]
pub enum UserChangeKind {
    /// Account data was set, or removed if `content` is empty.
    AccountData {
        /// Empty: global.
        room: String,
        /// Its type.
        kind: String,
        /// JSON object.
        content: Bytes,
    },
    /// Access tokens (by hash) ended.
    Revoked(Vec<Bytes>),
    /// A device was made or changed (`true`) or is gone.
    Device(String, bool),
    /// The account was deactivated.
    Deactivated,
    /// Messages came for these devices.
    ToDevice(Vec<String>),
    /// The user's devices changed, or what they signed.
    DeviceList,
    /// Keys of this device were claimed, or there are others.
    Keys(String),
    /// The account changed, and is locked from then on or not.
    Locked(bool),
}

/// An entry of a user's log that the user's connections may have to be told of.
#[derive(Debug)]
pub struct UserChange {
    /// Its position.
    pub seq: LogSeq,
    /// When it was committed.
    pub at: TimestampMicros,
    /// The user.
    pub user: Arc<str>,
    /// What happened.
    pub kind: UserChangeKind,
}

impl UserChange {
    /// Bytes it takes, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let own = match &self.kind {
            UserChangeKind::AccountData { room, kind, content } => room.len() + kind.len() + content.len(),
            UserChangeKind::Revoked(hashes) => hashes.len() * 64,
            UserChangeKind::Device(device, _) | UserChangeKind::Keys(device) => device.len(),
            UserChangeKind::Deactivated | UserChangeKind::Locked(_) | UserChangeKind::DeviceList => 0,
            UserChangeKind::ToDevice(devices) => devices.iter().map(|device| 24 + device.len()).sum(),
        };
        160 + self.user.len() + own
    }
}
