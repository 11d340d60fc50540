//! Whom an event notifies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use banyan_core::ServiceError;
use banyan_proto::rooms::Placed;
use banyan_rooms::{
    pdu::Pdu,
    reader::{At, MAIN, RoomReader},
    relation::{Relation, THREAD},
    version::RoomVersion,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use moka::sync::Cache;
use ruma::{
    Int, OwnedRoomId, OwnedUserId, RoomId, UInt, UserId,
    events::AnySyncTimelineEvent,
    power_levels::NotificationPowerLevels,
    push::{FlattenedJson, PushConditionPowerLevelsCtx, PushConditionRoomCtx, Ruleset},
    room_version_rules::RoomPowerLevelsRules,
    serde::Raw,
};
use serde_json::Value;

use super::{
    audience::Audiences,
    rules::{Outcome, OwnRules, anybody, check, default_rules, rules_of_everybody},
};

/// Relations from an event to the thread it is in.
const MAX_HOPS: usize = 3;
/// Members whom an event mentions that are looked up at a time: an event has room for thousands.
const PARALLEL: usize = 32;
/// Rooms whose power levels stay in memory.
const POWERS: u64 = 1_000;

/// An event that arrived.
pub(super) struct Arrived {
    pub(super) sender: OwnedUserId,
    /// `main` or the root of its thread.
    pub(super) thread: String,
    event: Value,
    flat: FlattenedJson,
}

impl Arrived {
    /// Whether it says of its sender that they are in the room: under another name maybe, which the server tells every room of theirs by
    /// itself, so nobody has read anything for it.
    pub(super) fn is_own_join(&self) -> bool {
        let is = |name: &str, value: &str| self.event[name] == value;
        is("type", "m.room.member") && is("state_key", self.sender.as_str()) && self.event["content"]["membership"] == "join"
    }
}

/// Judges events, for one shard.
pub(super) struct Judge {
    pub(super) audiences: Arc<Audiences>,
    default: Ruleset,
    powers: Cache<OwnedRoomId, Arc<PushConditionPowerLevelsCtx>>,
}

impl Judge {
    pub(super) fn new(audiences: Arc<Audiences>) -> Self {
        Self { audiences, default: rules_of_everybody(), powers: Cache::new(POWERS) }
    }

    fn reader(&self) -> &RoomReader {
        &self.audiences.reader
    }

    /// The power levels of a room changed.
    pub(super) fn forget_powers(&self, room_id: &RoomId) {
        self.powers.invalidate(room_id);
    }

    /// Reads an event; `None` if it is none.
    pub(super) async fn read(&self, room_id: &RoomId, placed: &Placed) -> Result<Option<Arrived>, ServiceError> {
        let Ok(Value::Object(mut event)) = serde_json::from_slice(&placed.pdu) else { return Ok(None) };
        for name in ["auth_events", "prev_events", "hashes", "signatures", "depth"] {
            event.remove(name);
        }
        let event = Value::Object(event);
        let sender = event["sender"].as_str().and_then(|sender| OwnedUserId::try_from(sender).ok());
        let Some(sender) = sender else { return Ok(None) };
        let Ok(raw) = serde_json::value::to_raw_value(&event) else { return Ok(None) };
        let flat = FlattenedJson::from_raw(&Raw::<AnySyncTimelineEvent>::from_json(raw));
        let thread = self.thread(room_id, Relation::of_pdu(&placed.pdu)).await?;
        Ok(Some(Arrived { sender, thread, event, flat }))
    }

    /// The thread that the relations of an event lead to.
    async fn thread(&self, room_id: &RoomId, first: Option<Relation>) -> Result<String, ServiceError> {
        let mut relation = first;
        for hop in 1..=MAX_HOPS {
            match relation {
                Some(found) if found.rel_type == THREAD => return Ok(found.event_id.to_string()),
                Some(found) if hop < MAX_HOPS => {
                    let event = self.reader().event(room_id, &found.event_id).await?;
                    relation = event.and_then(|event| Relation::of_pdu(&event.pdu));
                }
                _ => break,
            }
        }
        Ok(MAIN.to_owned())
    }

    /// What everybody is notified of, and those who are notified otherwise; the sender is none of them.
    pub(super) async fn judge(
        &self,
        room_id: &RoomId,
        joined: u64,
        arrived: &Arrived,
    ) -> Result<(Outcome, Vec<(OwnedUserId, Outcome)>), ServiceError> {
        let mut context = self.context(room_id, joined).await?;
        let everybody = check(&self.default, &arrived.flat, &context).await;
        let audience: BTreeSet<OwnedUserId> = self.audiences.of(room_id).await?.lock().clone();
        let named = self.named(room_id, arrived, &audience).await?;
        let candidates: Vec<OwnedUserId> = audience.into_iter().chain(named).filter(|user| *user != arrived.sender).collect();
        let rules = self.audiences.rules_of(&candidates).await?;
        let mut others = BTreeMap::new();
        for user_id in candidates {
            context.user_id.clone_from(&user_id);
            let outcome = self.of_user(room_id, &mut context, rules.get(&user_id).map(Arc::as_ref), arrived).await?;
            if outcome != everybody {
                others.insert(user_id, outcome);
            }
        }
        Ok((everybody, others.into_iter().collect()))
    }

    async fn of_user(
        &self,
        room_id: &RoomId,
        context: &mut PushConditionRoomCtx,
        own: Option<&OwnRules>,
        arrived: &Arrived,
    ) -> Result<Outcome, ServiceError> {
        let Some(own) = own else {
            return Ok(check(&default_rules(&context.user_id), &arrived.flat, context).await);
        };
        if own.ignored.contains(arrived.sender.as_str()) {
            return Ok(Outcome::default());
        }
        if own.by_name {
            context.user_display_name = self.name(room_id, &context.user_id).await?;
        }
        Ok(check(&own.rules, &arrived.flat, context).await)
    }

    /// Whom the event names, of those who have the default rules: who is mentioned and in the room, or invited.
    async fn named(
        &self,
        room_id: &RoomId,
        arrived: &Arrived,
        audience: &BTreeSet<OwnedUserId>,
    ) -> Result<Vec<OwnedUserId>, ServiceError> {
        let event = &arrived.event;
        let ids = event["content"]["m.mentions"]["user_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let ids: BTreeSet<OwnedUserId> = ids.filter_map(|id| OwnedUserId::try_from(id).ok()).collect();
        let others = ids.into_iter().filter(|user_id| self.audiences.is_local(user_id) && !audience.contains(user_id));
        let is_joined = |user_id: OwnedUserId| async move {
            let row = self.reader().membership(&user_id, room_id).await?;
            Ok::<_, ServiceError>(row.filter(|row| row.membership == "join").map(|_| user_id))
        };
        // Collected, for a lazy iterator in a stream hides from the compiler that the future may move between threads.
        let asked: Vec<_> = others.map(is_joined).collect();
        let joined: Vec<_> = stream::iter(asked).buffered(PARALLEL).try_collect().await?;
        let mut named: Vec<OwnedUserId> = joined.into_iter().flatten().collect();
        if event["type"] == "m.room.member" && event["content"]["membership"] == "invite" {
            let invited = event["state_key"].as_str().and_then(|user| OwnedUserId::try_from(user).ok());
            named.extend(invited.filter(|user_id| self.audiences.is_local(user_id)));
        }
        Ok(named)
    }

    /// The name of a member in the room.
    async fn name(&self, room_id: &RoomId, user_id: &UserId) -> Result<String, ServiceError> {
        let event = self.reader().state_event(room_id, "m.room.member", user_id.as_str(), &At::Now).await?;
        let content = event.and_then(|event| serde_json::from_str::<Value>(&event.content()).ok());
        let name = content.as_ref().and_then(|content| content["displayname"].as_str()).filter(|name| !name.is_empty());
        Ok(name.map_or_else(|| user_id.to_string(), str::to_owned))
    }

    async fn context(&self, room_id: &RoomId, joined: u64) -> Result<PushConditionRoomCtx, ServiceError> {
        let powers = match self.powers.get(room_id) {
            Some(powers) => Some(powers),
            None => self.read_powers(room_id).await?.map(Arc::new).inspect(|powers| {
                self.powers.insert(room_id.to_owned(), powers.clone());
            }),
        };
        let joined = UInt::new_saturating(joined);
        let context = PushConditionRoomCtx::new(room_id.to_owned(), joined, anybody().to_owned(), anybody().to_string());
        Ok(match powers {
            Some(powers) => context.with_power_levels((*powers).clone()),
            None => context,
        })
    }

    /// Who may notify the whole room.
    async fn read_powers(&self, room_id: &RoomId) -> Result<Option<PushConditionPowerLevelsCtx>, ServiceError> {
        let names = [("m.room.create", ""), ("m.room.power_levels", "")];
        let mut events = self.reader().state_events(room_id, &names, &At::Now).await?.into_iter();
        let (create, levels) = (events.next().flatten(), events.next().flatten());
        let version = self.reader().room_version(room_id).await?.and_then(|version| RoomVersion::get(version.as_str()).ok());
        let (Some(create), Some(version)) = (create, version) else { return Ok(None) };
        let pdu = |event: banyan_rooms::reader::StateEvent| Pdu::from_stored(event.pdu, event.event_id, room_id, version).ok();
        let (create, levels) = (pdu(create), levels.and_then(pdu));
        let creators = create.as_ref().and_then(|create| create.create_info().ok()).map(|info| info.creators().clone());
        let creators = creators.unwrap_or_default();
        let rules = RoomPowerLevelsRules::new(version.authorization(), creators.iter().cloned());
        let int = |level: i64| Int::new_saturating(level);
        let (users, default) = match levels.as_ref().and_then(|levels| levels.power_levels().ok()) {
            Some(levels) => {
                (levels.users().map(|(user, level)| (user.to_owned(), int(level))).collect(), int(levels.users_default()))
            }
            None => (creators.into_iter().map(|user| (user, int(100))).collect(), int(0)),
        };
        let mut notifications = NotificationPowerLevels::new();
        let content = levels.and_then(|levels| levels.content_as::<Value>().ok());
        if let Some(room) = content.as_ref().and_then(|content| content["notifications"]["room"].as_i64()) {
            notifications.room = int(room);
        }
        Ok(Some(PushConditionPowerLevelsCtx::new(users, default, notifications, rules)))
    }
}
