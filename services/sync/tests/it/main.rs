//! The role against tables written by the appliers and logs kept by hand: no roomserver, no bus.

mod client;
mod cases;
mod filters;
mod lazy;
mod left;

mod rooms;
mod waiting;
mod world;
