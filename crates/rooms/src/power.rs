//! What `m.room.power_levels` and `m.room.create` say about who may do what, parsed once per event and not once per question.

use std::collections::{BTreeSet, HashMap};

use ruma::{
    OwnedUserId, UserId,
    events::{TimelineEventType, room::power_levels::UserPowerLevel},
    state_res::events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};

use crate::pdu::Pdu;

/// The content of `m.room.power_levels`, with the defaults filled in (client-server specification, `m.room.power_levels`).
#[derive(Clone, Debug)]
pub struct PowerLevels {
    users: HashMap<OwnedUserId, i64>,
    events: HashMap<TimelineEventType, i64>,
    users_default: i64,
    events_default: i64,
    state_default: i64,
    invite: i64,
    kick: i64,
    ban: i64,
    redact: i64,
}

impl PowerLevels {
    /// What holds while a room has no `m.room.power_levels`. Creators then have 100 (before room version 12).
    #[must_use]
    pub fn absent() -> Self {
        Self {
            users: HashMap::new(),
            events: HashMap::new(),
            users_default: 0,
            events_default: 0,
            state_default: 50,
            invite: 0,
            kick: 50,
            ban: 50,
            redact: 50,
        }
    }

    pub(crate) fn read(pdu: &Pdu) -> Result<Self, String> {
        let rules = pdu.version().authorization();
        let event = RoomPowerLevelsEvent::new(pdu);
        let number = |field| event.get_as_int_or_default(field, rules).map(i64::from);
        let users = event.users(rules)?.into_iter().flatten().map(|(user, level)| (user.clone(), (*level).into())).collect();
        let events = event.events(rules)?.into_iter().flatten().map(|(kind, level)| (kind, level.into())).collect();
        Ok(Self {
            users,
            events,
            users_default: number(RoomPowerLevelsIntField::UsersDefault)?,
            events_default: number(RoomPowerLevelsIntField::EventsDefault)?,
            state_default: number(RoomPowerLevelsIntField::StateDefault)?,
            invite: number(RoomPowerLevelsIntField::Invite)?,
            kick: number(RoomPowerLevelsIntField::Kick)?,
            ban: number(RoomPowerLevelsIntField::Ban)?,
            redact: number(RoomPowerLevelsIntField::Redact)?,
        })
    }

    /// The level of a user who is no creator.
    #[must_use]
    pub fn user(&self, user: &UserId) -> i64 {
        self.users.get(user).copied().unwrap_or(self.users_default)
    }

    /// The users with a level of their own.
    pub fn users(&self) -> impl Iterator<Item = (&UserId, i64)> {
        self.users.iter().map(|(user, level)| (&**user, *level))
    }

    /// The level of users who are not listed.
    #[must_use]
    pub const fn users_default(&self) -> i64 {
        self.users_default
    }

    /// The level needed to send an event of this type.
    #[must_use]
    pub fn to_send(&self, kind: &TimelineEventType, is_state: bool) -> i64 {
        let default = if is_state { self.state_default } else { self.events_default };
        self.events.get(kind).copied().unwrap_or(default)
    }

    /// The level needed to invite.
    #[must_use]
    pub const fn to_invite(&self) -> i64 {
        self.invite
    }

    /// The level needed to remove someone.
    #[must_use]
    pub const fn to_kick(&self) -> i64 {
        self.kick
    }

    /// The level needed to ban.
    #[must_use]
    pub const fn to_ban(&self) -> i64 {
        self.ban
    }

    /// The level needed to redact others' events.
    #[must_use]
    pub const fn to_redact(&self) -> i64 {
        self.redact
    }
}

/// What `m.room.create` decides for good.
#[derive(Clone, Debug)]
pub struct CreateInfo {
    creators: BTreeSet<OwnedUserId>,
    federate: bool,
    room_type: Option<String>,
}

impl CreateInfo {
    pub(crate) fn read(pdu: &Pdu) -> Result<Self, String> {
        #[derive(serde::Deserialize)]
        struct Content {
            #[serde(rename = "type")]
            room_type: Option<serde_json::Value>,
        }
        let event = RoomCreateEvent::new(pdu);
        let content: Content = pdu.content_as().map_err(|error| error.to_string())?;
        Ok(Self {
            creators: event.creators(pdu.version().authorization())?.into_iter().collect(),
            federate: event.federate()?,
            room_type: content.room_type.and_then(|value| value.as_str().map(str::to_owned)),
        })
    }

    /// The creators: one before room version 12, with the additional ones since.
    #[must_use]
    pub const fn creators(&self) -> &BTreeSet<OwnedUserId> {
        &self.creators
    }

    /// Whether users of other servers may take part (`m.federate`).
    #[must_use]
    pub const fn federate(&self) -> bool {
        self.federate
    }

    /// `type`, for example `m.space`.
    #[must_use]
    pub fn room_type(&self) -> Option<&str> {
        self.room_type.as_deref()
    }
}

/// The powers in a room at some state: its creators and its power levels together.
#[derive(Clone, Debug)]
pub struct Powers {
    create: Pdu,
    levels: Option<Pdu>,
}

impl Powers {
    /// The powers that follow from the create event and the power levels, if the room has any.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with one of the events.
    pub fn new(create: Pdu, levels: Option<Pdu>) -> Result<Self, String> {
        create.create_info()?;
        if let Some(levels) = &levels {
            levels.power_levels()?;
        }
        Ok(Self { create, levels })
    }

    fn info(&self) -> Option<&CreateInfo> {
        self.create.create_info().ok()
    }

    /// The power levels, if the room has any.
    #[must_use]
    pub fn levels(&self) -> Option<&PowerLevels> {
        self.levels.as_ref().and_then(|levels| levels.power_levels().ok())
    }

    /// Whether `user` created the room or was named a creator.
    #[must_use]
    pub fn is_creator(&self, user: &UserId) -> bool {
        self.info().is_some_and(|info| info.creators.contains(user))
    }

    /// The power of `user`: infinite for creators from room version 12 on.
    #[must_use]
    pub fn of(&self, user: &UserId) -> UserPowerLevel {
        let creator = self.is_creator(user);
        if creator && self.create.version().authorization().explicitly_privilege_room_creators {
            return UserPowerLevel::Infinite;
        }
        let level = match self.levels() {
            Some(levels) => levels.user(user),
            None if creator => 100,
            None => 0,
        };
        level.try_into().map_or(UserPowerLevel::Infinite, UserPowerLevel::Int)
    }

    /// Whether `user` has at least `level`.
    #[must_use]
    pub fn reaches(&self, user: &UserId, level: i64) -> bool {
        match self.of(user) {
            UserPowerLevel::Int(own) => i64::from(own) >= level,
            _ => true,
        }
    }

    /// Whether `user` may invite.
    #[must_use]
    pub fn may_invite(&self, user: &UserId) -> bool {
        self.reaches(user, self.levels().map_or(0, PowerLevels::to_invite))
    }

    /// Whether `user` may redact others' events.
    #[must_use]
    pub fn may_redact(&self, user: &UserId) -> bool {
        self.reaches(user, self.levels().map_or(50, PowerLevels::to_redact))
    }

    /// Whether `user` has the power to send an event of this type.
    #[must_use]
    pub fn may_send(&self, user: &UserId, kind: &TimelineEventType, is_state: bool) -> bool {
        let needed =
            self.levels().map_or_else(|| PowerLevels::absent().to_send(kind, is_state), |levels| levels.to_send(kind, is_state));
        self.reaches(user, needed)
    }
}
