//! A client that believes what it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{rooms::Key, world::token};

#[derive(Clone, Debug, Default)]
pub(crate) struct ClientRoom {
    pub(crate) state: BTreeMap<Key, String>,
    /// Events since the last hole.
    pub(crate) timeline: Vec<String>,
    /// Every event ever shown.
    pub(crate) seen: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) token: Option<String>,
    pub(crate) joined: BTreeMap<String, ClientRoom>,
    pub(crate) left: BTreeMap<String, ClientRoom>,
    pub(crate) invited: BTreeSet<String>,
    pub(crate) account_data: BTreeMap<(String, String), Value>,
}

impl Client {
    /// Takes a response in, as the specification says.
    pub(crate) fn take(&mut self, body: &Value) {
        self.token = Some(token(body).to_owned());
        for event in body["account_data"]["events"].as_array().unwrap() {
            self.data("", event);
        }
        for (id, room) in body["rooms"]["join"].as_object().unwrap() {
            self.invited.remove(id);
            let mut held = self.joined.remove(id).or_else(|| self.left.remove(id)).unwrap_or_default();
            held.take(room);
            self.joined.insert(id.clone(), held);
            for event in room["account_data"]["events"].as_array().unwrap() {
                self.data(id, event);
            }
        }
        for id in body["rooms"]["invite"].as_object().unwrap().keys() {
            self.invited.insert(id.clone());
            self.joined.remove(id);
        }
        for (id, room) in body["rooms"]["leave"].as_object().unwrap() {
            self.invited.remove(id);
            let mut held = self.joined.remove(id).unwrap_or_default();
            held.take(room);
            self.left.insert(id.clone(), held);
        }
    }

    fn data(&mut self, room: &str, event: &Value) {
        let kind = event["type"].as_str().unwrap().to_owned();
        self.account_data.insert((room.to_owned(), kind), event["content"].clone());
    }
}

impl ClientRoom {
    fn take(&mut self, room: &Value) {
        let timeline = &room["timeline"];
        if timeline["limited"].as_bool().unwrap() {
            self.timeline.clear();
        }
        let after = room.get("state_after");
        for event in after.unwrap_or_else(|| &room["state"])["events"].as_array().unwrap() {
            self.set(event);
        }
        for event in timeline["events"].as_array().unwrap() {
            let id = event["event_id"].as_str().unwrap().to_owned();
            assert!(!self.timeline.contains(&id), "{id} came twice");
            self.timeline.push(id.clone());
            self.seen.insert(id);
            if after.is_none() {
                self.set(event);
            }
        }
    }

    fn set(&mut self, event: &Value) {
        let Some(key) = event["state_key"].as_str() else { return };
        let key = (event["type"].as_str().unwrap().to_owned(), key.to_owned());
        self.state.insert(key, event["event_id"].as_str().unwrap().to_owned());
    }
}
