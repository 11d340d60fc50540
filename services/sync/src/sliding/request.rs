//! What a client asks (MSC4186, "Request Body"), in the form of either endpoint.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde::Deserialize;

use super::{
    connection::RoomConfig,
    extensions::Extensions,
    filters::Filters,
    required_state::{ANY, Keys, RequiredState},
};
use crate::{config::SyncConfig, error::SyncError};

/// Lists, subscriptions, and ranges of a list at most.
const MOST: usize = 100;
/// Elements of a `required_state`, and of a list's filters, at most.
const MOST_ELEMENTS: usize = 256;
/// Longest name of a list or connection.
const MOST_BYTES: usize = 255;

/// The form of an answer. Requests are read in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Of the unstable endpoint, which clients use.
    #[default]
    Unstable,
    /// Of MSC4186.
    Stable,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub user: OwnedUserId,
    /// From which device.
    pub device: OwnedDeviceId,
    /// The `pos` of an earlier answer; `None`: a new connection.
    pub pos: Option<String>,
    /// How long to wait for something to happen.
    pub timeout: Duration,
    /// BLAKE3 of the access token; empty: unknown.
    pub token_hash: Bytes,
    /// The body's JSON.
    pub body: Bytes,
    /// How the answer names things.
    pub form: Form,
}

/// A request's body, read.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) conn: String,
    pub(super) lists: BTreeMap<String, List>,
    pub(super) subscriptions: BTreeMap<String, RoomConfig>,
    pub(super) extensions: Extensions,
}

/// A list.
#[derive(Debug)]
pub(super) struct List {
    /// Indexes of rooms, both ends included; `None`: all of them.
    ranges: Option<Vec<(u64, u64)>>,
    pub(super) config: RoomConfig,
    pub(super) filters: Filters,
}

#[derive(Deserialize)]
struct Body {
    conn_id: Option<String>,
    lists: Option<BTreeMap<String, ListBody>>,
    room_subscriptions: Option<BTreeMap<String, RoomBody>>,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct RoomBody {
    timeline_limit: u64,
    #[serde(default)]
    required_state: StateBody,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StateBody {
    /// Of the unstable endpoint.
    Pairs(Vec<(String, String)>),
    Stable(StableState),
}

#[derive(Default, Deserialize)]
struct StableState {
    #[serde(default)]
    include: Vec<Element>,
    #[serde(default)]
    exclude: Vec<Element>,
    #[serde(default)]
    lazy_members: bool,
}

/// What is left out stands for all.
#[derive(Deserialize)]
struct Element {
    #[serde(rename = "type")]
    kind: Option<String>,
    state_key: Option<String>,
}

impl Default for StateBody {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

#[derive(Deserialize)]
struct ListBody {
    ranges: Option<Vec<(u64, u64)>>,
    range: Option<(u64, u64)>,
    slow_get_all_rooms: Option<bool>,
    filters: Option<Filters>,
    #[serde(flatten)]
    room: RoomBody,
}

impl Wish {
    /// Reads a body.
    ///
    /// # Errors
    /// [`SyncError::Body`] for one of the wrong shape, [`SyncError::Request`] for more than may be asked.
    pub(super) fn parse(json: &[u8], user: &UserId, config: &SyncConfig) -> Result<Self, SyncError> {
        let body: Body = serde_json::from_slice(json).map_err(|error| SyncError::Body(error.to_string()))?;
        let conn = body.conn_id.unwrap_or_default();
        at_most("conn_id", conn.len(), MOST_BYTES)?;
        let (lists, subscriptions) = (body.lists.unwrap_or_default(), body.room_subscriptions.unwrap_or_default());
        at_most("lists", lists.len(), MOST)?;
        at_most("room_subscriptions", subscriptions.len(), MOST)?;
        let lists = lists.into_iter().map(|(name, list)| Ok((is_name(name)?, List::of_body(list, user, config)?)));
        let subscriptions = subscriptions.into_iter().map(|(room, body)| Ok((room, room_config(body, user, config)?)));
        Ok(Self {
            conn,
            lists: lists.collect::<Result<_, SyncError>>()?,
            subscriptions: subscriptions.collect::<Result<_, SyncError>>()?,
            extensions: body.extensions.unwrap_or_default(),
        })
    }
}

impl List {
    fn of_body(body: ListBody, user: &UserId, config: &SyncConfig) -> Result<Self, SyncError> {
        let ranges = body.ranges.or_else(|| body.range.map(|range| vec![range])).filter(|_| body.slow_get_all_rooms != Some(true));
        for (first, last) in ranges.iter().flatten() {
            if first > last {
                return Err(SyncError::Request(format!("the range [{first}, {last}] ends before it begins")));
            }
        }
        at_most("ranges", ranges.as_ref().map_or(0, Vec::len), MOST)?;
        let filters = body.filters.unwrap_or_default();
        at_most("filters", filters.len(), MOST_ELEMENTS)?;
        Ok(Self { ranges, config: room_config(body.room, user, config)?, filters })
    }

    /// Whether a room at this index is shown.
    pub(super) fn shows(&self, index: usize) -> bool {
        let index = index as u64;
        self.ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|(first, last)| (*first..=*last).contains(&index)))
    }
}

fn room_config(body: RoomBody, user: &UserId, config: &SyncConfig) -> Result<RoomConfig, SyncError> {
    let timeline_limit = usize::try_from(body.timeline_limit).unwrap_or(usize::MAX).min(config.max_limit);
    Ok(RoomConfig { timeline_limit, required_state: body.required_state.read(user)? })
}

impl StateBody {
    fn read(self, user: &UserId) -> Result<RequiredState, SyncError> {
        match self {
            Self::Pairs(pairs) => {
                at_most("required_state", pairs.len(), MOST_ELEMENTS)?;
                Ok(RequiredState::of_pairs(pairs, user))
            }
            Self::Stable(StableState { include, exclude, lazy_members }) => {
                at_most("required_state", include.len() + exclude.len(), MOST_ELEMENTS)?;
                Ok(RequiredState::of_stable(keys(include), keys(exclude), lazy_members))
            }
        }
    }
}

fn keys(elements: Vec<Element>) -> Keys {
    let any = || ANY.to_owned();
    Keys::new(elements.into_iter().map(|element| (element.kind.unwrap_or_else(any), element.state_key.unwrap_or_else(any))))
}

/// Names of lists are opaque identifiers (specification, appendices, "Opaque Identifiers").
fn is_name(name: String) -> Result<String, SyncError> {
    at_most("list names", name.len(), MOST_BYTES)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(SyncError::Request(format!("{name:?} is no name for a list")));
    }
    Ok(name)
}

fn at_most(what: &str, has: usize, most: usize) -> Result<(), SyncError> {
    if has > most { Err(SyncError::Request(format!("{what}: {has}, where {most} are allowed"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;
    use serde_json::{Value, json};

    use super::*;

    fn parse(body: &Value) -> Result<Wish, SyncError> {
        Wish::parse(body.to_string().as_bytes(), user_id!("@me:x"), &SyncConfig::default())
    }

    fn list(member: &str, value: &Value) -> Value {
        json!({"lists": {"a": {"timeline_limit": 1, "required_state": [], member: value}}})
    }

    #[test]
    fn what_clients_send_is_read() {
        let body = json!({"conn_id": "room-list", "lists": {"all_rooms": {"ranges": [[0, 19], [30, 30]], "timeline_limit": 9_999,
            "required_state": [["m.room.name", ""]], "filters": {"not_room_types": ["m.space", null], "org.x": 1}}},
            "room_subscriptions": {"!a:x": {"timeline_limit": 20}}, "extensions": {"org.x": {"enabled": true}}});
        let wish = parse(&body).unwrap();
        let list = &wish.lists["all_rooms"];
        assert!(list.shows(0) && list.shows(19) && !list.shows(20) && list.shows(30));
        assert_eq!((list.config.timeline_limit, wish.subscriptions["!a:x"].timeline_limit), (500, 20));
        assert_eq!(wish.conn, "room-list");
        assert!(parse(&super::tests::list("slow_get_all_rooms", &json!(true))).unwrap().lists["a"].shows(1_000_000));
    }

    #[test]
    fn the_form_of_the_proposal_is_read() {
        let state = json!({"include": [{}, {"type": "m.room.member", "state_key": "@you:x"}], "exclude": [{"type": "m.room.create"}],
            "lazy_members": true});
        let body = json!({"lists": {"a": {"range": [2, 3], "timeline_limit": 1, "required_state": state}},
            "room_subscriptions": {"!a:x": {"timeline_limit": 1, "required_state": {"include": [{"state_key": ""}]}}}});
        let wish = parse(&body).unwrap();
        let list = &wish.lists["a"];
        assert!(!list.shows(1) && list.shows(2) && list.shows(3) && !list.shows(4));
        let required = &list.config.required_state;
        assert!(required.is_lazy() && required.takes("m.room.name", "") && !required.takes("m.room.create", ""));
        assert!(required.takes("m.room.member", "@you:x") && !required.takes("m.room.member", "@me:x"));
        let required = &wish.subscriptions["!a:x"].required_state;
        assert!(required.takes("m.room.name", "") && !required.takes("m.room.member", "@me:x") && !required.is_lazy());
    }

    #[test]
    fn wrong_shapes_are_bad_json() {
        for body in [
            json!([]),
            json!({"conn_id": 1}),
            json!({"lists": []}),
            json!({"lists": {"a": {}}}),
            json!({"room_subscriptions": {"!a:x": {"required_state": []}}}),
            json!({"extensions": {"account_data": {"enabled": "yes"}}}),
            list("ranges", &json!([[0]])),
            list("ranges", &json!([[-1, 2]])),
            list("timeline_limit", &json!(-1)),
            list("required_state", &json!([["m.room.name"]])),
            list("required_state", &json!({"include": ["m.room.name"]})),
            list("range", &json!([[0, 1]])),
            list("filters", &json!({"is_dm": 1})),
        ] {
            assert!(matches!(parse(&body), Err(SyncError::Body(_))), "{body}");
        }
    }

    #[test]
    fn too_much_is_an_invalid_parameter() {
        let many = |n: usize| (0..n).map(|n| (format!("l{n}"), json!({"timeline_limit": 1}))).collect::<serde_json::Map<_, _>>();
        for body in [
            json!({"lists": many(101)}),
            json!({"room_subscriptions": many(101)}),
            json!({"conn_id": "x".repeat(256)}),
            json!({"lists": {"not a name": {"timeline_limit": 1}}}),
            list("ranges", &json!(vec![[0, 1]; 101])),
            list("ranges", &json!([[3, 2]])),
            list("required_state", &json!(vec![["a", "b"]; 257])),
            list("required_state", &json!({"include": vec![json!({}); 200], "exclude": vec![json!({}); 57]})),
            list("range", &json!([3, 2])),
            list("filters", &json!({"tags": vec!["a"; 257]})),
        ] {
            assert!(matches!(parse(&body), Err(SyncError::Request(_))), "{body}");
        }
        assert!(parse(&json!({"lists": many(100), "room_subscriptions": many(100)})).is_ok());
    }
}
