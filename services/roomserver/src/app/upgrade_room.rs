//! Replaces a room by a new one (client-server specification, "Room Upgrades").
//!
//! The new room is made in the shard of the old one, so that both are changed by one group of entries: an id is chosen, or, where it is
//! the create event's hash, the event's time is moved back by milliseconds, until it falls there. Aliases live in shards of their own and
//! are moved afterwards by who asked.

use std::{collections::BTreeSet, sync::Arc};

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::roomserver::Profile;
use banyan_rooms::{
    event_builder::{self, EventDraft, NewRoom},
    pdu::Pdu,
    state::StateKey,
    version::RoomVersion,
};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedRoomId, OwnedUserId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
};
use serde_json::{Map, Value, json};

use super::{
    copied_state::{self, Copied},
    intents, member_event, send_event,
};
use crate::{
    actor::{Caller, Shard, Turn, commit_all},
    content::{
        create_body::{self, CreateBody},
        upgraded::{self, OldPowers},
    },
    errors,
};

/// Create events that are tried at most: of the default of 64 shards the right one is hit within 4,096 with near certainty.
const MAX_TRIES: u64 = 4_096;
/// How often the state is read anew because it changed meanwhile; then it is read while nobody can change it.
const MAX_READS: usize = 3;

/// What is asked.
#[derive(Debug)]
pub(crate) struct UpgradeRoom {
    pub(crate) caller: Caller,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) new_version: String,
    pub(crate) additional_creators: Vec<String>,
    pub(crate) profile: Profile,
}

/// Upgrades the room; answers the new one's id.
pub(crate) async fn upgrade_room(shard: Arc<Shard>, command: UpgradeRoom) -> Result<Arc<str>, ServiceError> {
    let version = RoomVersion::get(&command.new_version)
        .map_err(|error| ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNSUPPORTED_ROOM_VERSION", error.to_string()))?;
    if let Some(answer) = shard.earlier(&command.caller, None).await? {
        return if answer.starts_with('!') { Ok(answer) } else { replacement(&shard, &command).await };
    }
    let (mut old, copied) = begin(&shard, &command).await?;
    if let Some(outcome) = shard.outcome(&command.caller, None) {
        drop(old);
        return outcome.await;
    }
    let new = Upgrade { shard: &shard, command: &command, version }.carry_out(&mut old, copied).await?;
    let new_id: Arc<str> = new.room_id().as_str().into();
    let unfinished = new.has_intent();
    let answer = commit_all(vec![old, new], &command.caller, Vec::new(), new_id).await?;
    if unfinished && let Ok(room_id) = OwnedRoomId::try_from(&*answer) {
        intents::finish(&shard, &room_id, intents::COPY).await;
    }
    Ok(answer)
}

/// The room that a tombstone names: what an earlier try of the command made.
async fn replacement(shard: &Arc<Shard>, command: &UpgradeRoom) -> Result<Arc<str>, ServiceError> {
    let turn = Turn::begin(shard, &command.room_id).await?;
    let tombstone = turn.state_event(StateEventType::RoomTombstone, "").await?;
    let content: Option<Map<String, Value>> = tombstone.and_then(|event| event.content_as().ok());
    let room_id = content.as_ref().and_then(|content| content.get("replacement_room")?.as_str());
    room_id.map(Into::into).ok_or_else(|| ServiceError::internal("an upgraded room without a tombstone"))
}

/// The old room's turn, and what of its state is copied beside settings.
async fn begin(shard: &Arc<Shard>, command: &UpgradeRoom) -> Result<(Turn, Copied), ServiceError> {
    for _ in 0..MAX_READS {
        let turn = Turn::begin(shard, &command.room_id).await?;
        check(&turn, &command.caller.user_id).await?;
        let (state, version) = (turn.state().clone(), turn.version()?);
        drop(turn);
        let copied = copied_state::read(shard, &command.room_id, version, &state).await?;
        let turn = Turn::begin(shard, &command.room_id).await?;
        if *turn.state() == state {
            check(&turn, &command.caller.user_id).await?;
            return Ok((turn, copied));
        }
    }
    let turn = Turn::begin(shard, &command.room_id).await?;
    check(&turn, &command.caller.user_id).await?;
    let copied = copied_state::read(shard, &command.room_id, turn.version()?, turn.state()).await?;
    Ok((turn, copied))
}

/// Refuses who may not upgrade the room.
async fn check(turn: &Turn, user_id: &UserId) -> Result<(), ServiceError> {
    send_event::check_sender(turn, user_id).await?;
    if turn.powers().await?.may_send(user_id, &TimelineEventType::RoomTombstone, true) {
        return Ok(());
    }
    Err(ServiceError::forbidden("you do not have the power to upgrade this room"))
}

struct Upgrade<'a> {
    shard: &'a Arc<Shard>,
    command: &'a UpgradeRoom,
    version: &'static RoomVersion,
}

impl Upgrade<'_> {
    /// Changes the old room and makes the new one.
    async fn carry_out(&self, old: &mut Turn, copied: Copied) -> Result<Turn, ServiceError> {
        let old_powers = old_powers(old).await?;
        let settings = settings(old).await?;
        let aliases = self.moving_aliases(old).await?;
        let create = self.make_rooms(old).await?;
        let mut new = Turn::begin(self.shard, create.room_id()).await?;
        if new.exists() {
            return Err(ServiceError::internal("a new room's id is taken"));
        }
        let creators = create.create_info().map_err(|problem| ServiceError::bad_json(problem.to_owned()))?.creators().clone();
        new.place(create, None).await?;
        let mut join = json!({"membership": "join"});
        member_event::set_profile(&mut join, &self.command.profile);
        self.send(&mut new, "m.room.member", self.command.caller.user_id.as_str(), &join).await?;
        for event in &settings {
            self.send_raw(&mut new, event.kind().to_string().as_str(), "", event.content().get()).await?;
        }
        self.move_canonical_alias(old, &mut new, &aliases).await?;
        copied_state::copy(&mut new, &self.command.caller.user_id, copied, old.room_id()).await?;
        let levels = upgraded::power_levels(&old_powers, self.version, &creators);
        self.send(&mut new, "m.room.power_levels", "", &levels.into()).await?;
        self.silence(old, &old_powers).await?;
        self.move_listing(old, &mut new)?;
        Ok(new)
    }

    /// Makes the tombstone of the old room and the create event of the new one, whichever needs the other.
    async fn make_rooms(&self, old: &mut Turn) -> Result<Pdu, ServiceError> {
        let mut content = self.creation_content(old).await?;
        if self.version.room_id_is_create_hash() {
            let create = self.create_event(&content)?;
            self.bury(old, create.room_id().as_str()).await?;
            return Ok(create);
        }
        let room_id = self.room_id()?;
        let tombstone = self.bury(old, room_id.as_str()).await?;
        content["predecessor"]["event_id"] = tombstone.into();
        let signer = self.shard.shared.signers.get(self.command.caller.user_id.server_name())?;
        let room = self.new_room(&content, self.shard.shared.room_timestamp())?;
        event_builder::create_room_as(room, &room_id, signer).map_err(|error| errors::create(&error))
    }

    async fn creation_content(&self, old: &Turn) -> Result<Value, ServiceError> {
        let mut content = json!({"predecessor": {"room_id": old.room_id()}});
        let create = old.state_event(StateEventType::RoomCreate, "").await?;
        let created: Map<String, Value> = create.and_then(|create| create.content_as().ok()).unwrap_or_default();
        for field in ["type", "m.federate"] {
            if let Some(value) = created.get(field) {
                content[field] = value.clone();
            }
        }
        if self.version.authorization().additional_room_creators && !self.command.additional_creators.is_empty() {
            content["additional_creators"] = json!(self.command.additional_creators);
        }
        Ok(content)
    }

    fn new_room(&self, content: &Value, millis: u64) -> Result<NewRoom, ServiceError> {
        let content = content.to_string();
        Ok(NewRoom {
            creator: self.command.caller.user_id.clone(),
            version: self.version,
            content: event_builder::content_from_json(content.as_bytes()).map_err(|error| errors::build(&error))?,
            origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::new_saturating(millis)),
        })
    }

    /// Whether a room of this id is of this shard.
    fn is_here(&self, room_id: &str) -> bool {
        self.shard.shared.shards.shard_of(room_id) == self.shard.log.id().shard
    }

    /// A create event whose hash falls into this shard.
    fn create_event(&self, content: &Value) -> Result<Pdu, ServiceError> {
        let signer = self.shard.shared.signers.get(self.command.caller.user_id.server_name())?;
        let now = self.shard.shared.room_timestamp();
        for back in 0..MAX_TRIES {
            let room = self.new_room(content, now.saturating_sub(back))?;
            let create = event_builder::create_room(room, signer, &*self.shard.shared.entropy);
            let create = create.map_err(|error| errors::create(&error))?;
            if self.is_here(create.room_id().as_str()) {
                return Ok(create);
            }
        }
        Err(ServiceError::unavailable("no room id was found for this shard"))
    }

    /// A random room id of this shard.
    fn room_id(&self) -> Result<OwnedRoomId, ServiceError> {
        for _ in 0..MAX_TRIES {
            let room_id = event_builder::random_room_id(&self.command.caller.user_id, &*self.shard.shared.entropy);
            let room_id = room_id.map_err(|error| ServiceError::internal(error.to_string()))?;
            if self.is_here(room_id.as_str()) {
                return Ok(room_id);
            }
        }
        Err(ServiceError::unavailable("no room id was found for this shard"))
    }

    async fn bury(&self, old: &mut Turn, replacement: &str) -> Result<String, ServiceError> {
        let content = json!({"body": "This room has been replaced", "replacement_room": replacement});
        self.send(old, "m.room.tombstone", "", &content).await
    }

    /// The aliases that the caller's tenant moves to the new room.
    async fn moving_aliases(&self, old: &Turn) -> Result<Vec<String>, ServiceError> {
        let aliases = old.reader().aliases_of(old.room_id()).await?;
        let own = aliases.into_iter().filter(|alias| *alias.server_name() == *self.command.caller.tenant);
        Ok(own.map(|alias| alias.to_string()).collect())
    }

    async fn move_canonical_alias(&self, old: &mut Turn, new: &mut Turn, aliases: &[String]) -> Result<(), ServiceError> {
        let event = old.state_event(StateEventType::RoomCanonicalAlias, "").await?;
        let Some(content) = event.and_then(|event| event.content_as().ok()) else { return Ok(()) };
        let (moved, stays) = upgraded::split_aliases(&content, aliases);
        if let Some(moved) = moved {
            self.send(new, "m.room.canonical_alias", "", &moved).await?;
        }
        match stays {
            Some(stays) => if_allowed(self.send(old, "m.room.canonical_alias", "", &stays).await),
            None => Ok(()),
        }
    }

    /// Lets only moderators speak in the old room, if the caller may.
    async fn silence(&self, old: &mut Turn, powers: &OldPowers) -> Result<(), ServiceError> {
        match upgraded::silenced(&powers.levels) {
            Some(levels) => if_allowed(self.send(old, "m.room.power_levels", "", &levels.into()).await),
            None => Ok(()),
        }
    }

    /// Lists the new room in the directory in place of the old one.
    fn move_listing(&self, old: &mut Turn, new: &mut Turn) -> Result<(), ServiceError> {
        let tenant = &self.command.caller.tenant;
        if old.publish(tenant, false)? {
            new.publish(tenant, true)?;
        }
        Ok(())
    }

    async fn send(&self, turn: &mut Turn, event_type: &str, state_key: &str, content: &Value) -> Result<String, ServiceError> {
        self.send_raw(turn, event_type, state_key, &content.to_string()).await
    }

    async fn send_raw(&self, turn: &mut Turn, event_type: &str, state_key: &str, content: &str) -> Result<String, ServiceError> {
        let content = event_builder::content_from_json(content.as_bytes()).map_err(|error| errors::build(&error))?;
        let sender: OwnedUserId = self.command.caller.user_id.clone();
        let draft = EventDraft::state(sender, StateKey::new(event_type, state_key), content, turn.timestamp());
        Ok(turn.send(draft, None, &[]).await?.to_string())
    }
}

/// What is done only where the room allows it.
fn if_allowed(result: Result<String, ServiceError>) -> Result<(), ServiceError> {
    match result {
        Err(error) if error.code != ErrorCode::Forbidden => Err(error),
        _ => Ok(()),
    }
}

/// State of the old room that the new one begins with.
async fn settings(old: &Turn) -> Result<Vec<Pdu>, ServiceError> {
    let keys: Vec<StateKey> = upgraded::COPIED.iter().map(|kind| StateKey::new(*kind, "")).collect();
    old.state_events(&keys).await
}

async fn old_powers(old: &Turn) -> Result<OldPowers, ServiceError> {
    let create = old.state_event(StateEventType::RoomCreate, "").await?;
    let creators = match &create {
        Some(create) => create.create_info().map_err(|problem| ServiceError::internal(problem.to_owned()))?.creators().clone(),
        None => BTreeSet::new(),
    };
    let event = old.state_event(StateEventType::RoomPowerLevels, "").await?;
    let privileged = old.version()?.authorization().explicitly_privilege_room_creators;
    let levels = match event.and_then(|event| event.content_as().ok()) {
        Some(levels) => levels,
        None => {
            let creator = creators.first().map(ToString::to_string).unwrap_or_default();
            let unlisted: Vec<String> = if privileged { vec![creator.clone()] } else { Vec::new() };
            create_body::power_levels(&CreateBody::default(), &creator, &unlisted)
        }
    };
    Ok(OldPowers { creators: if privileged { creators } else { BTreeSet::new() }, levels })
}
