//! The use cases: what a sync has to tell, room by room.

mod account_data;
mod approach;
mod bundles;
mod context;
mod fresh;
mod left;
mod ongoing;
mod room;
mod state;
mod summary;
pub mod sync;
mod timeline;
mod to_device;

pub use self::{
    context::Context,
    room::{RoomAnswer, RoomBody},
    summary::Summary,
    timeline::Shown,
};
