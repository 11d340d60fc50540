//! The tree of rooms below a space (client-server API, "Discovering rooms within spaces").
//!
//! A page is not remembered: the next one walks the same way again, past what was shown already. So any process can answer it.

use std::collections::{HashMap, HashSet};

use banyan_core::ServiceError;
use banyan_rooms::reader::StateEvent;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::{Value, json};

use super::{App, Requester, found_rooms::Found};

/// Rooms of a page where the client does not say, and at most.
const MAX_LIMIT: usize = 50;
/// How far down the walk goes, whatever the client asks.
const MAX_DEPTH: usize = 32;
/// Rooms of one tree that are shown at most, that are looked at, and that wait to be.
const MAX_ROOMS: usize = 2_000;
const MAX_LOOKED_AT: usize = 5_000;
const MAX_WAITING: usize = 10_000;
/// Children of one space that are looked at.
const MAX_CHILDREN: usize = 1_000;
/// Rooms that are read in one go.
const AHEAD: usize = 50;
/// The type of a room that is a space.
const SPACE: &str = "m.space";
/// The longest valid `order` of a child, in characters.
const MAX_ORDER: usize = 50;

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct HierarchyWish {
    pub(crate) suggested_only: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) max_depth: Option<usize>,
    pub(crate) from: Option<String>,
}

/// A page of a tree.
#[derive(Debug)]
pub(crate) struct HierarchyPage {
    pub(crate) rooms: Vec<SpaceRoom>,
    pub(crate) next_batch: Option<String>,
}

/// A room in a tree.
#[derive(Debug)]
pub(crate) struct SpaceRoom {
    pub(crate) room_id: OwnedRoomId,
    pub(crate) found: Found,
    /// The m.space.child events of a space, stripped, in the order of its children.
    pub(crate) children_state: Vec<Value>,
}

impl App {
    /// A page of the rooms below a space, and the space itself, that the caller may find; each once, parents before their children.
    ///
    /// # Errors
    /// M_FORBIDDEN for a space that the caller may not find or that there is not, M_INVALID_PARAM for a token of another tree and a
    /// limit of 0.
    pub(crate) async fn hierarchy(
        &self,
        requester: &Requester,
        space: &RoomId,
        wish: HierarchyWish,
    ) -> Result<HierarchyPage, ServiceError> {
        let tree = tree_name(space, &wish);
        let from = wish.from.as_deref().map_or(Ok(0), |token| read_token(token, &tree))?;
        let limit = wish.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
        if limit == 0 {
            return Err(ServiceError::invalid_param("`limit` is at least 1"));
        }
        let mut walk = Walk::new(self, &requester.user_id, space, &wish);
        if walk.find(space).await?.is_none() {
            return Err(ServiceError::forbidden("You are not allowed to view this room"));
        }
        walk.known.clear();
        let mut rooms = Vec::new();
        for n in 0..MAX_ROOMS {
            let Some(room) = walk.next().await? else { return Ok(HierarchyPage { rooms, next_batch: None }) };
            if rooms.len() == limit {
                return Ok(HierarchyPage { rooms, next_batch: Some(format!("{n}_{tree}")) });
            }
            if n >= from {
                rooms.push(room);
            }
        }
        Ok(HierarchyPage { rooms, next_batch: None })
    }
}

/// Tells trees apart: whose and how they are walked.
fn tree_name(space: &RoomId, wish: &HierarchyWish) -> String {
    let name = format!("{space} {} {:?}", wish.suggested_only, wish.max_depth);
    blake3::hash(name.as_bytes()).to_hex()[..16].to_owned()
}

fn read_token(token: &str, tree: &str) -> Result<usize, ServiceError> {
    let offset = token.split_once('_').filter(|(_, of)| *of == tree).and_then(|(offset, _)| offset.parse().ok());
    let message = "`from` is not a token of this tree; suggested_only and max_depth cannot change from page to page";
    offset.ok_or_else(|| ServiceError::invalid_param(message))
}

/// A walk through a tree, depth first.
struct Walk<'a> {
    app: &'a App,
    user_id: &'a UserId,
    suggested_only: bool,
    max_depth: usize,
    /// Where to go next, the nearest last; each with its depth.
    waiting: Vec<(OwnedRoomId, usize)>,
    /// Where the walk has been.
    seen: HashSet<OwnedRoomId>,
    /// What was read ahead.
    known: HashMap<OwnedRoomId, Option<Found>>,
}

impl<'a> Walk<'a> {
    fn new(app: &'a App, user_id: &'a UserId, space: &RoomId, wish: &HierarchyWish) -> Self {
        Self {
            app,
            user_id,
            suggested_only: wish.suggested_only,
            max_depth: wish.max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
            waiting: vec![(space.to_owned(), 0)],
            seen: HashSet::new(),
            known: HashMap::new(),
        }
    }

    async fn next(&mut self) -> Result<Option<SpaceRoom>, ServiceError> {
        while let Some((room_id, depth)) = self.waiting.pop() {
            if self.seen.len() >= MAX_LOOKED_AT {
                return Ok(None);
            }
            if !self.seen.insert(room_id.clone()) {
                continue;
            }
            let Some(found) = self.find(&room_id).await? else { continue };
            let children = if found.summary.room_type == SPACE { self.children(&room_id).await? } else { Vec::new() };
            if depth < self.max_depth {
                let place = MAX_WAITING.saturating_sub(self.waiting.len());
                let next = children.iter().take(place).rev().map(|child| (child.room_id.clone(), depth + 1));
                self.waiting.extend(next);
            }
            let children_state = children.into_iter().map(|child| child.stripped).collect();
            return Ok(Some(SpaceRoom { room_id, found, children_state }));
        }
        Ok(None)
    }

    /// A room, if the user may find it; reads those that come next along with it.
    async fn find(&mut self, room_id: &RoomId) -> Result<Option<Found>, ServiceError> {
        if let Some(found) = self.known.remove(room_id) {
            return Ok(found);
        }
        let mut rooms = vec![room_id.to_owned()];
        for (next, _) in self.waiting.iter().rev() {
            if rooms.len() == AHEAD {
                break;
            }
            if !self.seen.contains(next) && !self.known.contains_key(next) && !rooms.contains(next) {
                rooms.push(next.clone());
            }
        }
        let found = self.app.find_rooms(Some(self.user_id), &rooms).await?;
        self.known.extend(rooms.into_iter().zip(found));
        Ok(self.known.remove(room_id).flatten())
    }

    /// The children of a space in their order.
    async fn children(&self, space: &RoomId) -> Result<Vec<Child>, ServiceError> {
        let events = self.app.rooms.space_children(space, MAX_CHILDREN).await?;
        let mut children: Vec<Child> = events.iter().filter_map(Child::read).collect();
        if self.suggested_only {
            children.retain(|child| child.suggested);
        }
        children.sort_by(|a, b| a.rank().cmp(&b.rank()));
        children.truncate(MAX_CHILDREN);
        Ok(children)
    }
}

/// A room that a space names as its child.
#[derive(Debug)]
struct Child {
    room_id: OwnedRoomId,
    /// A valid `order`.
    order: Option<String>,
    origin_server_ts: i64,
    suggested: bool,
    stripped: Value,
}

impl Child {
    /// `None`: the event names no child, or none any more.
    fn read(event: &StateEvent) -> Option<Self> {
        let room_id = RoomId::parse(&event.state_key).ok()?;
        let pdu: Value = serde_json::from_slice(&event.pdu).ok()?;
        let content = &pdu["content"];
        content["via"].as_array()?;
        let order = content["order"].as_str().filter(|order| is_order(order)).map(str::to_owned);
        let stripped = json!({
            "type": event.event_type, "state_key": event.state_key, "content": content, "sender": pdu["sender"],
            "origin_server_ts": pdu["origin_server_ts"],
        });
        Some(Self {
            room_id,
            order,
            origin_server_ts: pdu["origin_server_ts"].as_i64().unwrap_or_default(),
            suggested: content["suggested"] == true,
            stripped,
        })
    }

    /// Children with an order come first, by it; then the others by age.
    fn rank(&self) -> (bool, Option<&str>, i64, &RoomId) {
        (self.order.is_none(), self.order.as_deref(), self.origin_server_ts, &self.room_id)
    }
}

fn is_order(order: &str) -> bool {
    order.len() <= MAX_ORDER && order.bytes().all(|byte| (0x20..=0x7E).contains(&byte))
}

#[cfg(test)]
mod tests {
    use ruma::owned_event_id;

    use super::*;

    fn child(room: &str, ts: i64, content: &Value) -> StateEvent {
        let pdu = json!({"content": content, "sender": "@a:x", "origin_server_ts": ts});
        StateEvent {
            event_type: "m.space.child".to_owned(),
            state_key: room.to_owned(),
            event_id: owned_event_id!("$e"),
            pdu: pdu.to_string().into(),
        }
    }

    #[test]
    fn children_have_the_specified_order() {
        let via = |order: Value| json!({"via": ["x"], "order": order});
        let events = [
            child("!e:x", 1_640_641_000_000, &via(json!(null))),
            child("!d:x", 1_640_741_000_000, &via(json!("é"))),
            child("!c:x", 1_640_841_000_000, &via(json!("first"))),
            child("!a:x", 1_640_141_000_000, &via(json!("aaaa"))),
            child("!b:x", 1_640_341_000_000, &via(json!(" "))),
            child("!g:x", 1_640_741_000_000, &via(json!("x".repeat(51)))),
            child("!f:x", 1_640_741_000_000, &via(json!(3))),
            child("!gone:x", 1, &json!({})),
            child("!gone2:x", 1, &json!({"via": "x"})),
            child("nonsense", 1, &via(json!(null))),
        ];
        let mut children: Vec<Child> = events.iter().filter_map(Child::read).collect();
        children.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let order: Vec<&str> = children.iter().map(|child| child.room_id.as_str()).collect();
        assert_eq!(order, ["!b:x", "!a:x", "!c:x", "!e:x", "!d:x", "!f:x", "!g:x"]);
        assert_eq!(children[0].stripped["origin_server_ts"], 1_640_341_000_000_i64);
    }

    #[test]
    fn a_token_is_good_for_its_tree_alone() {
        let space = ruma::room_id!("!s:x");
        let wish = |suggested_only, max_depth| HierarchyWish { suggested_only, max_depth, ..HierarchyWish::default() };
        let tree = tree_name(space, &wish(false, Some(1)));
        assert_eq!(read_token(&format!("7_{tree}"), &tree).unwrap(), 7);
        for other in [wish(true, Some(1)), wish(false, None)] {
            assert!(read_token(&format!("7_{tree}"), &tree_name(space, &other)).is_err());
        }
        assert!(read_token("nonsense", &tree).is_err() && read_token(&format!("x_{tree}"), &tree).is_err());
    }
}
