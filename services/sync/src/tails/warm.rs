//! Users with a sync under way, or lately: the rooms they are in, kept current from the log, and which of them a room's change wakes.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use banyan_core::{LogSeq, ShardId, TimestampMicros};
use banyan_proto::rooms::MembershipRow;
use bytes::Bytes;
use tokio::sync::{Notify, OnceCell, futures::Notified};

use super::change::{MemberChange, Membership, RoomChange};

/// An invite or knock, as its user is shown it.
#[derive(Debug, PartialEq, Eq)]
pub struct Approach {
    /// Who invited; for a knock the user.
    pub sender: String,
    /// Stripped state events, each JSON.
    pub stripped: Vec<Bytes>,
    /// The member event in federation format; may be empty.
    pub pdu: Bytes,
}

/// Where a user stands in a room.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Now.
    pub membership: Membership,
    /// Before the last change.
    pub previous: Membership,
    /// Who made the last change.
    pub sender: String,
    /// Sequence of the entry of the last change.
    pub seq: LogSeq,
    /// When the last change was committed.
    pub at: TimestampMicros,
    /// Whether the user forgot the room.
    pub forgotten: bool,
    /// For invites and knocks.
    pub approach: Option<Arc<Approach>>,
}

impl Standing {
    /// From a row of `membership_by_user`.
    #[must_use]
    pub fn from_row(row: MembershipRow) -> Self {
        let membership = Membership::from_text(&row.membership);
        let approach = matches!(membership, Membership::Invite | Membership::Knock)
            .then(|| Arc::new(Approach { sender: row.sender.clone(), stripped: row.stripped_state, pdu: row.pdu }));
        Self {
            membership,
            previous: Membership::from_text(&row.previous_membership),
            sender: row.sender,
            seq: LogSeq(row.seq),
            at: TimestampMicros(row.at),
            forgotten: row.forgotten,
            approach,
        }
    }

    fn from_change(change: &RoomChange, member: &MemberChange, pdu: Bytes) -> Self {
        let approach = matches!(member.now, Membership::Invite | Membership::Knock)
            .then(|| Arc::new(Approach { sender: member.sender.clone(), stripped: member.stripped.clone(), pdu }));
        Self {
            membership: member.now,
            previous: member.before,
            sender: member.sender.clone(),
            seq: change.seq,
            at: change.at,
            forgotten: false,
            approach,
        }
    }
}

/// What is read of a user when the first sync comes.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The user's rooms, with their shards.
    pub rooms: Vec<(Arc<str>, ShardId, Standing)>,
    /// Users they ignore, and the position of the entry that says so.
    pub ignored: HashSet<String>,
    /// Position of that entry.
    pub ignored_seq: LogSeq,
}

/// A user with a sync under way, as the sync holds it.
#[derive(Debug)]
pub struct WarmUser {
    /// The user.
    pub user: Arc<str>,
    /// Done once the user's rooms are known.
    pub(super) loaded: OnceCell<()>,
    notify: Notify,
    holders: AtomicUsize,
    used: AtomicU64,
}

impl WarmUser {
    fn new(user: &str) -> Self {
        Self {
            user: user.into(),
            loaded: OnceCell::new(),
            notify: Notify::new(),
            holders: AtomicUsize::new(0),
            used: AtomicU64::new(0),
        }
    }

    /// Resolves when something happened that may concern the user. Must be enabled before the tails are looked at.
    pub fn woken(&self) -> Notified<'_> {
        self.notify.notified()
    }

    pub(super) fn wake(&self) {
        self.notify.notify_waiters();
    }

    pub(super) fn hold(&self) {
        self.holders.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn release(&self, now: Duration) {
        self.used.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.holders.fetch_sub(1, Ordering::SeqCst);
    }

    fn is_idle(&self, since: u64) -> bool {
        self.holders.load(Ordering::SeqCst) == 0 && self.used.load(Ordering::SeqCst) < since
    }
}

#[derive(Debug)]
pub(super) struct WarmState {
    pub(super) handle: Arc<WarmUser>,
    pub(super) rooms: HashMap<Arc<str>, Arc<Standing>>,
    pub(super) ignored: Arc<HashSet<String>>,
    ignored_seq: Option<LogSeq>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Warm {
    users: HashMap<Arc<str>, WarmState>,
    /// Who is joined to a room.
    listeners: HashMap<Arc<str>, HashMap<Arc<str>, Arc<WarmUser>>>,
}

impl Warm {
    pub(super) fn get(&self, user: &str) -> Option<&WarmState> {
        self.users.get(user)
    }

    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// The user's handle; from now on changes of the user's rooms are taken in.
    pub(super) fn enter(&mut self, user: &str) -> Arc<WarmUser> {
        if let Some(state) = self.users.get(user) {
            return state.handle.clone();
        }
        let handle = Arc::new(WarmUser::new(user));
        let state = WarmState { handle: handle.clone(), rooms: HashMap::new(), ignored: Arc::default(), ignored_seq: None };
        self.users.insert(handle.user.clone(), state);
        handle
    }

    /// Takes in what was read, where nothing newer came from the log. False: the user was dropped meanwhile.
    pub(super) fn load(&mut self, handle: &Arc<WarmUser>, loaded: Loaded) -> bool {
        let Some(state) = self.users.get_mut(&handle.user).filter(|state| Arc::ptr_eq(&state.handle, handle)) else {
            return false;
        };
        for (room, _, standing) in loaded.rooms {
            if state.rooms.get(&room).is_none_or(|known| known.seq < standing.seq) {
                listen(&mut self.listeners, handle, &room, standing.membership);
                state.rooms.insert(room, Arc::new(standing));
            }
        }
        if state.ignored_seq.is_none_or(|known| known < loaded.ignored_seq) {
            state.ignored_seq = Some(loaded.ignored_seq);
            state.ignored = Arc::new(loaded.ignored);
        }
        true
    }

    /// Takes in the memberships of an entry and wakes whose they are.
    pub(super) fn memberships(&mut self, change: &RoomChange) {
        for state_change in &change.state {
            let Some(member) = &state_change.member else { continue };
            let Some(state) = self.users.get_mut(state_change.key.as_str()) else { continue };
            if state.rooms.get(&change.room).is_some_and(|known| known.seq > change.seq) {
                continue;
            }
            let pdu = state_change.event.as_ref().map(|event| event.get().stored.pdu.clone()).unwrap_or_default();
            listen(&mut self.listeners, &state.handle, &change.room, member.now);
            state.rooms.insert(change.room.clone(), Arc::new(Standing::from_change(change, member, pdu)));
            state.handle.wake();
        }
    }

    pub(super) fn forgotten(&mut self, room: &str, user: &str) {
        if let Some(standing) = self.users.get_mut(user).and_then(|state| state.rooms.get_mut(room)) {
            Arc::make_mut(standing).forgotten = true;
        }
    }

    pub(super) fn ignored(&mut self, user: &str, seq: LogSeq, content: &[u8]) {
        if let Some(state) = self.users.get_mut(user) {
            state.ignored = Arc::new(ignored_users(content));
            state.ignored_seq = Some(seq);
        }
    }

    /// Rooms of which somebody is woken.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &Arc<str>> {
        self.listeners.keys()
    }

    /// Who a change of a room wakes.
    pub(super) fn listeners(&self, room: &str) -> impl Iterator<Item = &Arc<WarmUser>> {
        self.listeners.get(room).into_iter().flat_map(HashMap::values)
    }

    /// Drops users without a sync since `since` (milliseconds).
    pub(super) fn drop_idle(&mut self, since: u64) {
        let idle: Vec<Arc<str>> =
            self.users.values().filter(|state| state.handle.is_idle(since)).map(|state| state.handle.user.clone()).collect();
        idle.iter().for_each(|user| self.drop_user(user));
    }

    /// Drops everybody and wakes them: what they hold may have holes.
    pub(super) fn clear(&mut self) {
        self.listeners.clear();
        self.users.drain().for_each(|(_, state)| state.handle.wake());
    }

    fn drop_user(&mut self, user: &str) {
        let Some(state) = self.users.remove(user) else { return };
        for (room, standing) in &state.rooms {
            if standing.membership == Membership::Join {
                listen(&mut self.listeners, &state.handle, room, Membership::Leave);
            }
        }
    }
}

fn listen(
    listeners: &mut HashMap<Arc<str>, HashMap<Arc<str>, Arc<WarmUser>>>,
    handle: &Arc<WarmUser>,
    room: &Arc<str>,
    membership: Membership,
) {
    if membership == Membership::Join {
        listeners.entry(room.clone()).or_default().insert(handle.user.clone(), handle.clone());
    } else if let Some(users) = listeners.get_mut(room) {
        users.remove(&handle.user);
        if users.is_empty() {
            listeners.remove(room);
        }
    }
}

/// The users of an `m.ignored_user_list`; nobody where it is not one.
#[must_use]
pub fn ignored_users(content: &[u8]) -> HashSet<String> {
    #[derive(serde::Deserialize)]
    struct List {
        #[serde(default)]
        ignored_users: HashMap<String, serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<List>(content).map(|list| list.ignored_users.into_keys().collect()).unwrap_or_default()
}
