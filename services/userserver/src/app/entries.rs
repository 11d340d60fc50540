//! Log entries of users.

use banyan_proto::users::{
    AccessToken, AccessTokenIssued, AccessTokensRevoked, Account, Departure, DepartureChanged, Device, DeviceChanged,
    DeviceListChanged, ProfileChanged, Pusher, PusherChanged, RefreshToken, RefreshTokenIssued, UserEntry, user_entry::Kind,
};
use banyan_users::{PusherKey, TokenHash};
use prost::bytes::Bytes;
use serde_json::Value;

/// An entry about a user.
pub(crate) fn entry(user_id: &str, kind: Kind) -> UserEntry {
    UserEntry { user_id: user_id.to_owned(), kind: Some(kind) }
}

pub(crate) fn account(user_id: &str, account: Account) -> UserEntry {
    entry(user_id, Kind::Account(account))
}

/// The device as it is from now on; `None`: gone.
pub(crate) fn device(user_id: &str, device_id: &str, device: Option<Device>) -> UserEntry {
    entry(user_id, Kind::Device(DeviceChanged { device_id: device_id.to_owned(), device }))
}

pub(crate) fn token_issued(user_id: &str, hash: &TokenHash, token: AccessToken) -> UserEntry {
    let token_hash = hash.as_bytes().to_vec().into();
    entry(user_id, Kind::TokenIssued(AccessTokenIssued { token_hash, token: Some(token) }))
}

pub(crate) fn refresh_issued(user_id: &str, hash: &TokenHash, token: RefreshToken) -> UserEntry {
    let token_hash = hash.as_bytes().to_vec().into();
    entry(user_id, Kind::RefreshIssued(RefreshTokenIssued { token_hash, token: Some(token) }))
}

/// The end of tokens, access and refresh; `None` for none.
pub(crate) fn tokens_revoked(user_id: &str, token_hashes: Vec<Bytes>, refresh_hashes: Vec<Bytes>) -> Option<UserEntry> {
    let any = !(token_hashes.is_empty() && refresh_hashes.is_empty());
    any.then(|| entry(user_id, Kind::TokensRevoked(AccessTokensRevoked { token_hashes, refresh_hashes })))
}

/// Whether a deactivated user has yet to leave rooms.
pub(crate) fn departure(user_id: &str, departure: Option<Departure>) -> UserEntry {
    entry(user_id, Kind::Departure(DepartureChanged { departure }))
}

/// A profile field: its value from now on, and that until now.
pub(crate) fn profile(user_id: &str, field: &str, value: Option<&Value>, previous: Option<&Value>) -> UserEntry {
    let json = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default().into_bytes().into();
    let previous = previous.filter(|_| field == "displayname");
    entry(user_id, Kind::Profile(ProfileChanged { field: field.to_owned(), value: json(value), previous: json(previous) }))
}

/// A pusher as it is from now on; `None`: gone.
pub(crate) fn pusher(user_id: &str, key: &PusherKey, pusher: Option<Pusher>) -> UserEntry {
    let PusherKey { app_id, pushkey } = key.clone();
    entry(user_id, Kind::Pusher(PusherChanged { app_id, pushkey, pusher }))
}

/// The id of the device that a command made or replaced, from its entries about the user.
pub(crate) fn device_of(entries: &[UserEntry], user_id: &str) -> Option<String> {
    entries.iter().filter(|entry| entry.user_id == user_id).find_map(|entry| match &entry.kind {
        Some(Kind::Device(DeviceChanged { device_id, device: Some(_) })) => Some(device_id.clone()),
        _ => None,
    })
}

/// What is seen of the user's devices changed; `only_self`: nobody else sees it.
pub(crate) fn device_list(user_id: &str, only_self: bool) -> UserEntry {
    entry(user_id, Kind::DeviceList(DeviceListChanged { only_self }))
}
