//! Which rooms of the user a list shows (MSC4186, `SlidingRoomFilter`).

use std::collections::HashSet;

use serde::Deserialize;

use super::{facts::Traits, notes::Notes};
use crate::tails::{Glimpse, change::Membership};

/// A list's filters; all that are set must hold. Filters of names that are not known are left alone.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Filters {
    is_dm: Option<bool>,
    spaces: Option<Vec<String>>,
    is_encrypted: Option<bool>,
    #[serde(alias = "is_invited")]
    is_invite: Option<bool>,
    room_types: Option<Vec<Option<String>>>,
    not_room_types: Option<Vec<Option<String>>>,
    room_name_like: Option<String>,
    tags: Option<Vec<String>>,
    not_tags: Option<Vec<String>>,
}

/// What a room is judged by.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) glimpse: &'a Glimpse,
    /// `None`: not known, as of an invite that came without state.
    pub(super) traits: Option<&'a Traits>,
    pub(super) notes: &'a Notes,
}

impl Filters {
    /// Spaces whose children have to be known.
    pub(super) fn spaces(&self) -> &[String] {
        self.spaces.as_deref().unwrap_or_default()
    }

    /// How many names and types there are to compare with.
    pub(super) fn len(&self) -> usize {
        let lists = [&self.spaces, &self.tags, &self.not_tags].into_iter().flatten().map(Vec::len);
        let types = [&self.room_types, &self.not_room_types].into_iter().flatten().map(Vec::len);
        lists.chain(types).sum()
    }

    /// Whether the type, name or encryption of rooms have to be known.
    pub(super) const fn needs_traits(&self) -> bool {
        self.room_types.is_some() || self.not_room_types.is_some() || self.needs_state()
    }

    /// Whether the name or encryption of rooms have to be known.
    pub(super) const fn needs_state(&self) -> bool {
        self.is_encrypted.is_some() || self.room_name_like.is_some()
    }

    /// Whether a room passes. `children`: the rooms in any of [`Self::spaces`].
    pub(super) fn take(&self, room: &Candidate<'_>, children: &HashSet<String>) -> bool {
        let id = &*room.glimpse.room;
        let invited = room.glimpse.standing.membership == Membership::Invite;
        self.is_dm.is_none_or(|wanted| wanted == room.notes.is_direct(id))
            && self.is_invite.is_none_or(|wanted| wanted == invited)
            && (self.spaces.is_none() || children.contains(id))
            && self.tags.as_ref().is_none_or(|tags| tags.iter().any(|tag| room.notes.has_tag(id, tag)))
            && self.not_tags.as_ref().is_none_or(|tags| !tags.iter().any(|tag| room.notes.has_tag(id, tag)))
            && (!self.needs_traits() || room.traits.is_some_and(|traits| self.take_traits(traits)))
    }

    fn take_traits(&self, traits: &Traits) -> bool {
        let named = |like: &String| traits.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&like.to_lowercase()));
        self.is_encrypted.is_none_or(|wanted| wanted == traits.encrypted)
            && self.room_types.as_ref().is_none_or(|types| types.contains(&traits.room_type))
            && self.not_room_types.as_ref().is_none_or(|types| !types.contains(&traits.room_type))
            && self.room_name_like.as_ref().is_none_or(named)
    }
}
