//! The JSON of a response.

mod body;
mod event;
mod fields;
mod room;
mod sink;

pub use self::{
    body::{Body, Section},
    room::room,
    sink::Sink,
};
