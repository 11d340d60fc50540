//! Which members a device was sent lazily, so that they need not be sent again.
//!
//! Only an economy: what is not remembered is sent again. A member counts as known at a token if it was sent in a response whose token
//! came before in the same row of responses; a client that goes back to an older token is taken to know only what it knew then.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;

/// Tokens remembered of a device: how far it may go back without being sent everything again.
const TOKENS: usize = 64;
/// Members remembered of a device.
const MEMBERS: usize = 20_000;

/// What devices were sent.
pub struct LazyMembers {
    devices: moka::sync::Cache<(String, String), Arc<Mutex<Chain>>>,
}

#[derive(Default)]
struct Chain {
    /// Number of the response that gave each token, and the token.
    tokens: VecDeque<(u64, String)>,
    next: u64,
    /// By room and member: the response in which the member event was sent.
    sent: HashMap<(Arc<str>, String), u64>,
}

/// A response's view of it.
#[derive(Default)]
pub struct Session {
    chain: Arc<Mutex<Chain>>,
    /// Responses up to this one are known to the client; `None`: none is.
    known: Option<u64>,
    fresh: Mutex<Vec<(Arc<str>, String)>>,
    missed: Mutex<Vec<Arc<str>>>,
}

impl std::fmt::Debug for LazyMembers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyMembers").field("devices", &self.devices.entry_count()).finish()
    }
}

impl LazyMembers {
    /// Remembers so many devices.
    #[must_use]
    pub fn new(devices: u64) -> Self {
        Self { devices: moka::sync::Cache::new(devices) }
    }

    /// Begins a response to a device that presents `since`; `None`: an initial sync, whose client knows nothing.
    #[must_use]
    pub fn begin(&self, user: &str, device: &str, since: Option<&str>) -> Session {
        let chain = self.devices.get_with((user.to_owned(), device.to_owned()), Arc::default);
        let mut held = chain.lock();
        let known = since.and_then(|since| held.tokens.iter().find(|(_, token)| token == since).map(|(number, _)| *number));
        match known {
            // The usual case: nothing came after.
            Some(known) if held.tokens.back().is_some_and(|(last, _)| *last == known) => {}
            Some(known) => {
                held.tokens.retain(|(number, _)| *number <= known);
                held.sent.retain(|_, number| *number <= known);
            }
            None => {
                held.tokens.clear();
                held.sent.clear();
            }
        }
        drop(held);
        Session { chain, known, fresh: Mutex::default(), missed: Mutex::default() }
    }
}

impl Session {
    /// Whether the client knows a member: it was sent the member event, and every change since.
    #[must_use]
    pub fn knows(&self, room: &Arc<str>, member: &str) -> bool {
        let Some(known) = self.known else { return false };
        let chain = self.chain.lock();
        chain.sent.get(&(room.clone(), member.to_owned())).is_some_and(|number| *number <= known)
    }

    /// This response sends a member event.
    pub fn sends(&self, room: &Arc<str>, member: &str) {
        self.fresh.lock().push((room.clone(), member.to_owned()));
    }

    /// The client may have missed changes of members of a room: what it knew of them counts no more.
    pub fn missed(&self, room: &Arc<str>) {
        self.missed.lock().push(room.clone());
    }

    /// The response is sent, with this token.
    pub fn finish(&self, token: &str) {
        let missed = std::mem::take(&mut *self.missed.lock());
        let fresh = std::mem::take(&mut *self.fresh.lock());
        let mut chain = self.chain.lock();
        if !missed.is_empty() {
            chain.sent.retain(|(room, _), _| !missed.contains(room));
        }
        let number = chain.next;
        chain.next += 1;
        if chain.sent.len() + fresh.len() > MEMBERS {
            chain.sent.clear();
        }
        for key in fresh {
            // What was known before stays known at older tokens.
            chain.sent.entry(key).or_insert(number);
        }
        chain.tokens.push_back((number, token.to_owned()));
        if chain.tokens.len() > TOKENS {
            chain.tokens.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_known_once_the_token_comes_back() {
        let lazy = LazyMembers::new(10);
        let room: Arc<str> = "!r:x".into();
        let first = lazy.begin("@a:x", "D", None);
        first.sends(&room, "@b:x");
        first.finish("t1");
        let second = lazy.begin("@a:x", "D", Some("t1"));
        assert!(second.knows(&room, "@b:x") && !second.knows(&room, "@c:x"));
        second.sends(&room, "@c:x");
        second.finish("t2");
        // The second response was lost: the client asks again with the first token.
        let again = lazy.begin("@a:x", "D", Some("t1"));
        assert!(again.knows(&room, "@b:x") && !again.knows(&room, "@c:x"));
        again.finish("t3");
        assert!(!lazy.begin("@a:x", "D", Some("t2")).knows(&room, "@b:x"));
    }

    #[test]
    fn another_device_or_an_initial_sync_knows_nothing() {
        let lazy = LazyMembers::new(10);
        let room: Arc<str> = "!r:x".into();
        let session = lazy.begin("@a:x", "D", None);
        session.sends(&room, "@b:x");
        session.finish("t1");
        assert!(!lazy.begin("@a:x", "E", Some("t1")).knows(&room, "@b:x"));
        assert!(!lazy.begin("@a:x", "D", None).knows(&room, "@b:x"));
    }
}
