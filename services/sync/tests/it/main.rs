//! The role against tables written by the appliers and logs kept by hand: no roomserver, no bus.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bundles;
mod cases;
mod client;
mod counted;
mod device_lists;
mod device_lists_model;
mod filters;
mod lazy;
mod left;
mod model;
mod receipts;
mod rooms;
mod sliding;
mod sliding_account_data;
mod sliding_connection;
mod sliding_e2ee;
mod sliding_large;
mod sliding_lists;
mod sliding_model;
mod sliding_receipts;
mod sliding_rooms;
mod sliding_state;
mod sliding_to_device;
mod sliding_typing;
mod sliding_waiting;
mod to_device;
mod typing;
mod unread;
mod waiting;
mod world;
