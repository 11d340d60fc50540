//! The extension `account_data` (MSC3959).

use std::{collections::BTreeMap, sync::Arc};

use ruma::UserId;

use super::{
    connection::{self, Connection},
    extensions::Scope,
    lists::Listing,
};
use crate::{app::account_data::AccountData, error::SyncError, source::Source, tails::Glance};
use banyan_core::LogSeq;

/// What it tells: events, each JSON.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) global: Vec<Vec<u8>>,
    pub(super) rooms: BTreeMap<Arc<str>, Vec<Vec<u8>>>,
}

impl Told {
    pub(super) fn is_empty(&self) -> bool {
        self.global.is_empty() && self.rooms.is_empty()
    }
}

/// What changed of the account data that the client has, and all of those that it lacks. What it is not told now it lacks later.
pub(super) async fn tell(
    (source, user): (&Source, &UserId),
    scope: Option<&Scope>,
    listing: &Listing<'_>,
    (glance, since): (&Glance, Option<LogSeq>),
    connection: &mut Connection,
) -> Result<Told, SyncError> {
    let changed = match (&glance.user, since) {
        (Some(changes), _) => AccountData::of_changes(changes),
        (None, Some(since)) => AccountData::of_rows(&source.account_data(user).await?, Some(since)),
        (None, None) => AccountData::default(),
    };
    let mut told = Told::default();
    let mut lacking = Vec::new();
    for room in scope.into_iter().flat_map(|scope| listing.matched.iter().filter(|room| scope.takes(room))) {
        if !connection.has_account_data(&room.id) {
            lacking.push(room);
            continue;
        }
        let events = changed.events(&room.glimpse.room, |_| true);
        if !events.is_empty() {
            told.rooms.insert(room.glimpse.room.clone(), events);
        }
    }
    for room in changed.rooms().filter(|room| !told.rooms.contains_key(*room)) {
        connection.set_account_data(&connection::id(room), false);
    }
    told.global = changed.events("", |_| true);
    if scope.is_none() {
        if !told.global.is_empty() {
            connection.set_global_account_data(false);
        }
        return Ok(Told::default());
    }
    if lacking.is_empty() && connection.has_global_account_data() {
        return Ok(told);
    }
    let all = AccountData::of_rows(&source.account_data(user).await?, None);
    if !connection.has_global_account_data() {
        told.global = all.events("", |_| true);
        connection.set_global_account_data(true);
    }
    for room in lacking {
        let events = all.events(&room.glimpse.room, |_| true);
        connection.set_account_data(&room.id, true);
        if !events.is_empty() {
            told.rooms.insert(room.glimpse.room.clone(), events);
        }
    }
    Ok(told)
}
