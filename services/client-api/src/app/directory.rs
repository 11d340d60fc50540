//! The directory of a tenant's published rooms (client-server API, "Published Room Directory").

use std::{fmt, sync::Arc};

use banyan_core::{ServiceError, fold::fold};
use banyan_proto::{rooms::RoomSummary, roomserver::PublishRoomRequest};
use banyan_rooms::tables::listed_room::ListingPlace;
use banyan_tenants::Tenant;
use ruma::{OwnedRoomId, RoomId, ServerName};
use serde::Deserialize;

use super::{App, Requester, caller::Visitor};
use crate::calls::RoomClient;

/// Rooms of a page where the client does not say, and at most.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
/// Rooms that are looked at for one page. Whoever searches may get a page with fewer rooms than there are, and goes on from there.
const MAX_LOOKED_AT: usize = 20_000;
/// The longest search term, in bytes.
const MAX_TERM: usize = 512;

/// What a client asks for.
#[derive(Debug, Default)]
pub(crate) struct DirectoryWish {
    /// Whose directory; the tenant's own where it is not said.
    pub(crate) server: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) since: Option<String>,
    pub(crate) filter: DirectoryFilter,
    pub(crate) include_all_networks: bool,
    /// A network that an application service bridges.
    pub(crate) third_party_instance_id: Option<String>,
}

/// Which rooms are wanted.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DirectoryFilter {
    generic_search_term: Option<String>,
    /// `null` stands for rooms without a type.
    room_types: Option<Vec<Option<String>>>,
}

/// A page of a directory.
#[derive(Debug, Default)]
pub(crate) struct DirectoryPage {
    pub(crate) rooms: Vec<(OwnedRoomId, RoomSummary)>,
    pub(crate) next_batch: Option<String>,
    pub(crate) prev_batch: Option<String>,
    /// How many there are in all, where this page tells.
    pub(crate) total: Option<usize>,
}

impl App {
    /// Whether the tenant's directory lists a room.
    ///
    /// # Errors
    /// M_NOT_FOUND for a room that is not known here.
    pub(crate) async fn is_in_directory(&self, visitor: &Visitor, room_id: &RoomId) -> Result<bool, ServiceError> {
        if self.rooms.head(room_id).await?.is_none() {
            return Err(unknown_room());
        }
        Ok(self.rooms.is_published(visitor.tenant.name(), room_id).await?)
    }

    /// Lists a room in the directory of the caller's tenant, or takes it out.
    ///
    /// # Errors
    /// M_NOT_FOUND for a room that is not known here, M_FORBIDDEN.
    pub(crate) async fn publish_room(&self, requester: &Requester, room_id: &RoomId, published: bool) -> Result<(), ServiceError> {
        if self.rooms.head(room_id).await?.is_none() {
            return Err(unknown_room());
        }
        let request = PublishRoomRequest { caller: Some(requester.to_rooms()), room_id: room_id.to_string(), published };
        let call = |mut client: RoomClient, request| async move { client.publish_room(request).await };
        self.commands.room(room_id.as_str(), request, call).await.map(|_| ())
    }

    /// A page of the directory of a tenant.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a token that is none or a network together with all networks; M_NOT_FOUND for a server whose directory is
    /// not known here.
    pub(crate) async fn public_rooms(&self, visitor: &Visitor, wish: DirectoryWish) -> Result<DirectoryPage, ServiceError> {
        let tenant = self.directory_of(visitor, wish.server.as_deref())?;
        let since = wish.since.as_deref().map(Since::parse).transpose()?;
        if let Some(network) = wish.third_party_instance_id.filter(|network| !network.is_empty()) {
            if wish.include_all_networks {
                return Err(ServiceError::invalid_param("third_party_instance_id cannot be used with include_all_networks"));
            }
            tracing::debug!(network, "no network of this name publishes rooms");
            return Ok(DirectoryPage { total: Some(0), ..DirectoryPage::default() });
        }
        let wanted = Wanted::new(wish.filter)?;
        // Clients are known to say 0 for as many as there are.
        let limit = wish.limit.filter(|limit| *limit > 0).unwrap_or(LIMIT).min(MAX_LIMIT);
        self.directory_page(tenant.name(), since, &wanted, limit).await
    }

    /// The tenant whose directory is asked for.
    fn directory_of(&self, visitor: &Visitor, server: Option<&str>) -> Result<Arc<Tenant>, ServiceError> {
        let Some(server) = server.filter(|server| !server.is_empty()) else { return Ok(visitor.tenant.clone()) };
        ServerName::parse(server).map_err(|_| ServiceError::invalid_param("`server` is not a server name"))?;
        self.tenants
            .get(server)
            .ok_or_else(|| ServiceError::not_found(format!("The directory of {server} cannot be reached from here")))
    }

    async fn directory_page(
        &self,
        tenant: &ServerName,
        since: Option<Since>,
        wanted: &Wanted,
        limit: usize,
    ) -> Result<DirectoryPage, ServiceError> {
        let backward = since.as_ref().is_some_and(|since| since.backward);
        let mut walk = self.rooms.directory(tenant, since.as_ref().map(|since| &since.place), backward);
        let mut found: Vec<(ListingPlace, RoomSummary)> = Vec::new();
        let mut looked_at = 0;
        // Where to go on; `None`: there is nothing more.
        let more = loop {
            let Some((place, summary)) = walk.next().await? else { break None };
            looked_at += 1;
            if wanted.has(&summary) {
                if found.len() == limit {
                    break found.last().map(|(last, _)| last.clone());
                }
                found.push((place.clone(), summary));
            }
            if looked_at == MAX_LOOKED_AT {
                break Some(place);
            }
        };
        let total = (since.is_none() && more.is_none()).then_some(found.len());
        let more = more.map(|place| Since { place, backward }.to_string());
        let first = found.first().map(|(place, _)| place.clone());
        let back = since.and_then(|since| first.or((!since.backward).then_some(since.place)));
        let back = back.map(|place| Since { place, backward: !backward }.to_string());
        let (next_batch, prev_batch) = if backward { (back, more) } else { (more, back) };
        let mut rooms: Vec<_> = found.into_iter().map(|(place, summary)| (place.room_id().clone(), summary)).collect();
        // Ranks follow the members of large rooms loosely.
        rooms.sort_by(|(a, one), (b, other)| other.joined.cmp(&one.joined).then_with(|| a.cmp(b)));
        Ok(DirectoryPage { rooms, next_batch, prev_batch, total })
    }
}

fn unknown_room() -> ServiceError {
    ServiceError::not_found("This room is not known here")
}

/// A filter that is easily asked.
struct Wanted {
    /// Folded.
    term: Option<String>,
    room_types: Option<Vec<String>>,
}

impl Wanted {
    fn new(filter: DirectoryFilter) -> Result<Self, ServiceError> {
        let term = filter.generic_search_term.filter(|term| !term.is_empty());
        if term.as_ref().is_some_and(|term| term.len() > MAX_TERM) {
            return Err(ServiceError::invalid_param(format!("A search term has at most {MAX_TERM} bytes")));
        }
        let room_types = filter.room_types.map(|types| types.into_iter().map(Option::unwrap_or_default).collect());
        Ok(Self { term: term.map(|term| fold(&term)), room_types })
    }

    fn has(&self, summary: &RoomSummary) -> bool {
        let of_type = self.room_types.as_ref().is_none_or(|types| types.contains(&summary.room_type));
        of_type && self.term.as_ref().is_none_or(|term| is_named(summary, term))
    }
}

/// Whether a folded term is in what names a room.
fn is_named(summary: &RoomSummary, term: &str) -> bool {
    [&summary.name, &summary.canonical_alias, &summary.topic].into_iter().any(|text| fold(text).contains(term))
}

/// A token: a place in a directory, and whether what comes before it is meant or what comes after it.
struct Since {
    place: ListingPlace,
    backward: bool,
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.backward { 'p' } else { 'n' };
        write!(f, "{direction}{}_{}", self.place.rank(), self.place.room_id())
    }
}

impl Since {
    fn parse(token: &str) -> Result<Self, ServiceError> {
        Self::read(token).ok_or_else(|| ServiceError::invalid_param("`since` is not a token of this directory"))
    }

    fn read(token: &str) -> Option<Self> {
        let backward = match token.get(..1)? {
            "p" => true,
            "n" => false,
            _ => return None,
        };
        let (rank, room_id) = token.get(1..)?.split_once('_')?;
        let place = ListingPlace::new(rank.parse().ok()?, RoomId::parse(room_id).ok()?);
        Some(Self { place, backward })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for token in ["n17_!a_b:x", "p0_!a:x:8448"] {
            assert_eq!(Since::read(token).map(|since| since.to_string()).as_deref(), Some(token));
        }
        for token in ["", "n", "x1_!a:x", "n_!a:x", "n1!a:x", "n1_a:x", "é1_!a:x"] {
            assert!(Since::read(token).is_none(), "{token}");
        }
    }

    #[test]
    fn a_filter_looks_at_names_and_types() {
        let room = |name: &str, room_type: &str| RoomSummary {
            name: name.to_owned(),
            topic: "All about Crème brûlée".to_owned(),
            canonical_alias: "#pudding:x".to_owned(),
            room_type: room_type.to_owned(),
            ..RoomSummary::default()
        };
        let has =
            |filter: serde_json::Value, room: &RoomSummary| Wanted::new(serde_json::from_value(filter).unwrap()).unwrap().has(room);
        let kitchen = room("Kitchen", "");
        for term in ["kitch", "TCHEN", "creme BRULEE", "#pudding", ""] {
            assert!(has(serde_json::json!({"generic_search_term": term}), &kitchen), "{term}");
        }
        assert!(!has(serde_json::json!({"generic_search_term": "garden"}), &kitchen));
        let types = serde_json::json!({"room_types": [null, "m.space"]});
        assert!(has(types.clone(), &kitchen) && has(types.clone(), &room("x", "m.space")) && !has(types, &room("x", "other")));
        assert!(!has(serde_json::json!({"room_types": []}), &kitchen));
        assert!(!has(serde_json::json!({"room_types": ["m.space"]}), &kitchen));
    }
}
