//! Calls to other roles over gRPC: what use cases want done, as plain values in and out.

mod commands;
mod outbound;
mod syncs;

pub(crate) use self::{
    commands::{Commands, RoomClient, UserClient},
    outbound::{NoAnswer, Outbound},
    syncs::Syncs,
};
