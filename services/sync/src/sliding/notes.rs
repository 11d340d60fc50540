//! What a user noted of rooms: direct chats (`m.direct`), tags (`m.tag`), and whether invites are welcome.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use banyan_users::invite_permission;
use ruma::UserId;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    error::SyncError,
    source::{AccountDatum, Source},
    tails::Glance,
};

/// Users whose notes are remembered.
const USERS: u64 = 20_000;

/// A user's notes.
#[derive(Debug, Default)]
pub struct Notes {
    direct: HashSet<String>,
    tags: HashMap<String, HashSet<String>>,
    blocks_invites: bool,
    /// Everything below this position of the user's log is in.
    position: AtomicU64,
}

/// The notes of users, kept current from the tails.
#[derive(Debug)]
pub(super) struct NotesCache(moka::sync::Cache<String, Arc<Notes>>);

impl Notes {
    fn of_rows(rows: &[AccountDatum]) -> Self {
        #[derive(Deserialize)]
        struct Tags {
            #[serde(default)]
            tags: HashMap<String, IgnoredAny>,
        }
        let mut notes = Self::default();
        for row in rows {
            if row.room.is_empty() && row.kind == "m.direct" {
                let users = serde_json::from_slice::<HashMap<String, Vec<String>>>(&row.content).unwrap_or_default();
                notes.direct.extend(users.into_values().flatten());
            } else if row.room.is_empty() && row.kind == invite_permission::TYPE {
                notes.blocks_invites = invite_permission::blocks_invites(&row.content);
            } else if !row.room.is_empty() && row.kind == "m.tag" {
                let tags = serde_json::from_slice::<Tags>(&row.content).map(|tags| tags.tags).unwrap_or_default();
                notes.tags.insert(row.room.clone(), tags.into_keys().collect());
            }
        }
        notes
    }

    /// Whether a room is a direct chat.
    #[must_use]
    pub fn is_direct(&self, room: &str) -> bool {
        self.direct.contains(room)
    }

    /// Whether invites are not even told.
    #[must_use]
    pub const fn blocks_invites(&self) -> bool {
        self.blocks_invites
    }

    /// Whether a room has a tag.
    #[must_use]
    pub fn has_tag(&self, room: &str, tag: &str) -> bool {
        self.tags.get(room).is_some_and(|tags| tags.contains(tag))
    }
}

impl NotesCache {
    pub(super) fn new() -> Self {
        Self(moka::sync::Cache::new(USERS))
    }

    /// A user's notes at a moment, or newer.
    pub(super) async fn get(&self, source: &Source, user: &UserId, glance: &Glance) -> Result<Arc<Notes>, SyncError> {
        if let Some(notes) = self.0.get(user.as_str()) {
            let position = notes.position.load(Ordering::SeqCst);
            if position >= glance.user_first.0 && glance.notes.is_none_or(|changed| changed.0 < position) {
                notes.position.fetch_max(glance.token.user.0, Ordering::SeqCst);
                return Ok(notes);
            }
        }
        let mut notes = Notes::of_rows(&source.account_data(user).await?);
        notes.position = AtomicU64::new(glance.token.user.0);
        let notes = Arc::new(notes);
        self.0.insert(user.to_string(), notes.clone());
        Ok(notes)
    }
}
