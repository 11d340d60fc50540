//! Users whom somebody looks for (client-server API, "User directory"): by names, from an index of all names, and among those of them
//! whom the caller can see.

use std::collections::{BTreeSet, HashMap, HashSet};

use banyan_core::ServiceError;
use banyan_users::{
    ShownProfile, user_id,
    user_search::{Match, SearchTerm},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{OwnedRoomId, OwnedServerName, OwnedUserId, UserId};

use super::{App, Requester};

/// Users of an answer where the client does not say, and at most.
const LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;
/// Names of the caller's server, and of all servers, that are looked at.
const OWN_NAMES: usize = 400;
const ALL_NAMES: usize = 200;
/// Users of whom it is looked up whether the caller can see them, and how many at a time.
const MAX_JUDGED: usize = 200;
const AT_ONCE: usize = 16;
/// Rooms of one user, and of all users of a search, that are looked at for public ones.
const MAX_ROOMS: usize = 200;
const MAX_ROOMS_IN_ALL: usize = 2_000;
/// Where there are more names than were looked at: the people whom the caller has to do with, in rooms of up to so many members, and so
/// many in all.
const SMALL_ROOM: u64 = 500;
const MAX_MEMBERS: u64 = 3_000;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct FoundUsers {
    /// Best first.
    pub(crate) users: Vec<(String, ShownProfile)>,
    /// Whether there may be more.
    pub(crate) limited: bool,
}

/// A user whom the term means.
#[derive(Debug)]
struct Candidate {
    user_id: OwnedUserId,
    profile: ShownProfile,
    means: Match,
}

impl App {
    /// Those whom a term means and the caller can see: users who share a room with the caller, or are in a room that anybody may join
    /// or read and that the caller's server knows.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn search_users(
        &self,
        requester: &Requester,
        typed: &str,
        limit: Option<usize>,
    ) -> Result<FoundUsers, ServiceError> {
        let limit = limit.unwrap_or(LIMIT).min(MAX_LIMIT);
        let Some(term) = SearchTerm::read(typed) else { return Ok(FoundUsers::default()) };
        let rooms: HashSet<OwnedRoomId> = self.rooms.joined_rooms(&requester.user_id).await?.into_iter().collect();
        let (mut names, cut) = self.named(requester, &term).await?;
        let near = if cut { self.neighbours(&rooms, &term).await? } else { HashSet::new() };
        names.extend(near.iter().cloned());
        names.remove(requester.user_id.as_str());
        let mut candidates = self.candidates(&names, &term).await?;
        // Where not all can be judged, those who can be seen anyway are.
        candidates.sort_by_key(|candidate| !near.contains(candidate.user_id.as_str()));
        let more = cut || candidates.len() > MAX_JUDGED;
        let mut seen = self.visible(requester, &rooms, candidates, limit + 1).await?;
        let limited = seen.len() > limit || more;
        seen.truncate(limit);
        seen.sort_by_key(|(candidate, is_near)| (candidate.means, !is_near, candidate.profile == ShownProfile::default()));
        let users = seen.into_iter().map(|(candidate, _)| (candidate.user_id.into(), candidate.profile)).collect();
        Ok(FoundUsers { users, limited })
    }

    /// Users who may be meant, and whether there are more.
    async fn named(&self, requester: &Requester, term: &SearchTerm) -> Result<(BTreeSet<String>, bool), ServiceError> {
        let server = requester.visitor.tenant.name();
        let key_word = term.key_word();
        let (own, all) = tokio::try_join!(
            self.users.users_named(Some(server), &key_word, OWN_NAMES),
            self.users.users_named(None, &key_word, ALL_NAMES),
        )?;
        let cut = own.more || all.more;
        let mut names: BTreeSet<String> = own.user_ids.into_iter().chain(all.user_ids).collect();
        // Who is named in full is found among any number of similar names.
        names.extend(user_id::for_login(term.typed(), server.as_str()));
        names.extend(UserId::parse(term.typed()).map(String::from));
        Ok((names, cut))
    }

    /// The members of the smaller ones of some rooms whom a term means by the names that they have there.
    async fn neighbours(&self, rooms: &HashSet<OwnedRoomId>, term: &SearchTerm) -> Result<HashSet<String>, ServiceError> {
        let rooms: Vec<&OwnedRoomId> = rooms.iter().collect();
        let heads = self.rooms.heads(&rooms).await?;
        let sizes = rooms.into_iter().zip(heads).filter_map(|(room_id, head)| {
            // Not where few are left of many: all that ever were members are read.
            let head = head.filter(|head| head.current_buckets <= 1)?;
            Some((head.joined, room_id.clone()))
        });
        let mut small: Vec<_> = sizes.filter(|(joined, _)| *joined <= SMALL_ROOM).collect();
        small.sort_unstable();
        let mut members = 0;
        small.retain(|(joined, _)| {
            members += joined;
            members <= MAX_MEMBERS
        });
        let reads = stream::iter(small)
            .map(|(_, room_id)| async move { self.rooms.joined_members(&room_id).await })
            .buffer_unordered(AT_ONCE);
        let members: Vec<_> = reads.try_collect().await?;
        let names = members.into_iter().flatten().filter_map(|(user_id, event)| {
            let content: serde_json::Value = serde_json::from_str(&event.content()).ok()?;
            term.matches(user_id.as_str(), content["displayname"].as_str())?;
            Some(user_id.into())
        });
        Ok(names.collect())
    }

    /// Those of the users whom the term means by their profiles, best first.
    async fn candidates(&self, names: &BTreeSet<String>, term: &SearchTerm) -> Result<Vec<Candidate>, ServiceError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let profiles = self.users.shown_profiles(&names).await?;
        let mut candidates: Vec<Candidate> = profiles
            .into_iter()
            .filter_map(|(user_id, profile)| {
                let means = term.matches(&user_id, profile.display_name.as_deref())?;
                Some(Candidate { user_id: OwnedUserId::try_from(user_id).ok()?, profile, means })
            })
            .collect();
        candidates.sort_by(|a, b| (a.means, &a.user_id).cmp(&(b.means, &b.user_id)));
        Ok(candidates)
    }

    /// The first `most` of the candidates whom the caller can see, and whether they share a room with the caller.
    async fn visible(
        &self,
        requester: &Requester,
        rooms: &HashSet<OwnedRoomId>,
        candidates: Vec<Candidate>,
        most: usize,
    ) -> Result<Vec<(Candidate, bool)>, ServiceError> {
        let mut seen = Vec::new();
        // What is known of rooms, so that many members of one room cost one look.
        let mut public = HashMap::new();
        let server = requester.visitor.tenant.name().to_owned();
        let mut theirs = stream::iter(candidates.into_iter().take(MAX_JUDGED))
            .map(|candidate| async move {
                let joined = self.rooms.joined_rooms(&candidate.user_id).await?;
                Ok::<_, ServiceError>((candidate, joined))
            })
            .buffered(AT_ONCE);
        while let Some((candidate, joined)) = theirs.try_next().await? {
            let is_near = joined.iter().any(|room_id| rooms.contains(room_id));
            if is_near || self.is_any_public(&server, &joined, &mut public).await? {
                seen.push((candidate, is_near));
            }
            if seen.len() == most {
                break;
            }
        }
        Ok(seen)
    }

    /// Whether one of the rooms is public and known to a server.
    async fn is_any_public(
        &self,
        server: &OwnedServerName,
        rooms: &[OwnedRoomId],
        known: &mut HashMap<OwnedRoomId, bool>,
    ) -> Result<bool, ServiceError> {
        if rooms.iter().any(|room_id| known.get(room_id) == Some(&true)) {
            return Ok(true);
        }
        let most = MAX_ROOMS.min(MAX_ROOMS_IN_ALL.saturating_sub(known.len()));
        let unknown: Vec<&OwnedRoomId> = rooms.iter().filter(|room_id| !known.contains_key(*room_id)).take(most).collect();
        for some in unknown.chunks(AT_ONCE) {
            let public = self.rooms.are_public(server, some).await?;
            known.extend(some.iter().map(|room_id| (*room_id).clone()).zip(public.iter().copied()));
            if public.contains(&true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
