//! The use cases: what a sync has to tell, room by room.

pub(crate) mod account_data;
pub(crate) mod approach;
pub(crate) mod bundles;
pub(crate) mod context;
pub(crate) mod device_lists;
mod fresh;
pub(crate) mod left;
pub(crate) mod ongoing;
pub(crate) mod patience;
pub(crate) mod receipts;
pub(crate) mod room;
pub(crate) mod state;
pub(crate) mod summary;
pub mod sync;
pub(crate) mod timeline;
pub(crate) mod to_device;
pub(crate) mod typing;
pub(crate) mod unread;

pub use self::{
    context::Context,
    room::{RoomAnswer, RoomBody},
    summary::Summary,
    timeline::Shown,
};
