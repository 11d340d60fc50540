//! Simplified sliding sync (MSC4186): windows into the user's list of rooms, and of each room what the client asks for.
//!
//! - `request` is what a client asks: lists with `filters`, subscriptions, `required_state`, `extensions`.
//! - `poll` waits and answers; `lists` (with `news`) says which rooms are told, `rooms` (with `joined` and `state`) what is told of one,
//!   `render` writes the JSON.
//! - `connection` is what the client was sent, kept in the rows of `table` under a `position`, so that any worker serves any position.
//! - `facts` and `notes` are what lists are sorted and filtered by: read once, then kept current from the tails.

mod account_data;
pub mod connection;
pub mod extensions;
pub mod facts;
pub mod filters;
mod joined;
pub mod lists;
mod news;
pub mod notes;
pub mod poll;
pub mod position;
mod receipts;
mod render;
pub mod request;
pub mod required_state;
mod rooms;
mod state;
pub mod table;
mod to_device;

pub(crate) use self::poll::Shared;
pub use self::{
    poll::Sliding,
    request::{Form, Request},
    table::TABLES,
};
