//! What changes when a room is replaced by another (client-server specification, "Room Upgrades").

use std::collections::BTreeSet;

use banyan_rooms::version::RoomVersion;
use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

/// State that is copied as it is, in the order it is sent. Power levels come last: until then the creator may do everything.
pub(crate) const COPIED: [&str; 8] = [
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
];

/// Who has what power in the old room.
#[derive(Debug)]
pub(crate) struct OldPowers {
    /// Creators whom no level bounds; none before room version 12.
    pub(crate) creators: BTreeSet<OwnedUserId>,
    /// Content of m.room.power_levels.
    pub(crate) levels: Map<String, Value>,
}

/// The power levels of the new room, whose creators are `creators`. Where they have infinite power they must not be listed; where they
/// have not, those who had it in the old room get as much as anything takes.
pub(crate) fn power_levels(old: &OldPowers, version: &RoomVersion, creators: &BTreeSet<OwnedUserId>) -> Map<String, Value> {
    let mut levels = old.levels.clone();
    let highest = highest(&levels);
    let users = levels.entry("users").or_insert_with(|| json!({}));
    let Some(users) = users.as_object_mut() else { return levels };
    if version.authorization().explicitly_privilege_room_creators {
        users.retain(|user, _| creators.iter().all(|creator| creator != user.as_str()));
    } else {
        users.extend(old.creators.iter().map(|creator| (creator.to_string(), highest.into())));
    }
    levels
}

/// The highest level that something takes or somebody has; at least 100.
fn highest(levels: &Map<String, Value>) -> i64 {
    let maps = ["users", "events", "notifications"].into_iter().filter_map(|name| levels.get(name)?.as_object());
    let nested = maps.flat_map(Map::values);
    levels.values().chain(nested).filter_map(Value::as_i64).fold(100, i64::max)
}

/// The power levels of the old room from now on, in which only moderators say something or invite; `None` if that is so already.
pub(crate) fn silenced(levels: &Map<String, Value>) -> Option<Map<String, Value>> {
    let level = |name: &str| levels.get(name).and_then(Value::as_i64).unwrap_or(0);
    let needed = level("users_default").saturating_add(1).max(50);
    let lower: Vec<&str> = ["events_default", "invite"].into_iter().filter(|name| level(name) < needed).collect();
    if lower.is_empty() {
        return None;
    }
    let mut silenced = levels.clone();
    silenced.extend(lower.into_iter().map(|name| (name.to_owned(), needed.into())));
    Some(silenced)
}

/// What of the content of m.room.canonical_alias names one of `aliases`, and what does not; each `None` if there is nothing.
pub(crate) fn split_aliases(content: &Map<String, Value>, aliases: &[String]) -> (Option<Value>, Option<Value>) {
    let moves = |alias: &&Value| alias.as_str().is_some_and(|alias| aliases.iter().any(|moved| moved == alias));
    let part = |wanted: bool| {
        let mut part = Map::new();
        if let Some(alias) = content.get("alias").filter(|alias| moves(alias) == wanted) {
            part.insert("alias".to_owned(), alias.clone());
        }
        let others = content.get("alt_aliases").and_then(Value::as_array).into_iter().flatten();
        let others: Vec<Value> = others.filter(|alias| moves(alias) == wanted).cloned().collect();
        if !others.is_empty() {
            part.insert("alt_aliases".to_owned(), others.into());
        }
        Value::Object(part)
    };
    let moved = Some(part(true)).filter(|part| *part != json!({}));
    let stays = moved.as_ref().map(|_| part(false));
    (moved, stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn users(names: &[&str]) -> BTreeSet<OwnedUserId> {
        names.iter().map(|name| OwnedUserId::try_from(*name).unwrap()).collect()
    }

    #[test]
    fn creators_are_not_listed_where_nothing_bounds_them() {
        let levels = object(json!({"users": {"@a:x": 100, "@b:x": 100, "@c:x": 50}, "invite": 3}));
        let old = OldPowers { creators: users(&[]), levels };
        let twelve = RoomVersion::get("12").unwrap();
        let new = power_levels(&old, twelve, &users(&["@a:x", "@b:x"]));
        assert_eq!(Value::from(new), json!({"users": {"@c:x": 50}, "invite": 3}));
    }

    #[test]
    fn those_whom_nothing_bounded_get_as_much_as_anything_takes() {
        let levels = object(json!({"users": {"@c:x": 50}, "events": {"m.room.tombstone": 150}}));
        let old = OldPowers { creators: users(&["@a:x"]), levels };
        let eleven = RoomVersion::get("11").unwrap();
        let new = power_levels(&old, eleven, &users(&["@b:x"]));
        assert_eq!(new["users"], json!({"@a:x": 150, "@c:x": 50}));
    }

    #[test]
    fn the_old_room_is_for_moderators_only() {
        let silent = |levels: Value| silenced(&object(levels)).map(Value::from);
        assert_eq!(silent(json!({"ban": 1})), Some(json!({"ban": 1, "events_default": 50, "invite": 50})));
        assert_eq!(
            silent(json!({"users_default": 60, "invite": 100})),
            Some(json!({"users_default": 60, "events_default": 61, "invite": 100}))
        );
        assert_eq!(silent(json!({"events_default": 50, "invite": 50})), None);
    }

    #[test]
    fn aliases_that_move_are_the_new_room_s() {
        let content = object(json!({"alias": "#a:x", "alt_aliases": ["#b:x", "#c:y"]}));
        let split = |moved: &[&str]| split_aliases(&content, &moved.iter().map(|&alias| alias.to_owned()).collect::<Vec<_>>());
        assert_eq!(split(&[]), (None, None));
        assert_eq!(split(&["#a:x"]), (Some(json!({"alias": "#a:x"})), Some(json!({"alt_aliases": ["#b:x", "#c:y"]}))));
        let both = (Some(json!({"alias": "#a:x", "alt_aliases": ["#b:x"]})), Some(json!({"alt_aliases": ["#c:y"]})));
        assert_eq!(split(&["#a:x", "#b:x"]), both);
    }
}
