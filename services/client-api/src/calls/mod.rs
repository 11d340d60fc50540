//! Calls to other roles over gRPC, and to identity servers: what use cases want done, as plain values in and out.

mod commands;
mod identity;
mod syncs;

pub(crate) use self::{
    commands::{Commands, RoomClient, UserClient},
    identity::{IdentityServer, StoredInvite},
    syncs::Syncs,
};
