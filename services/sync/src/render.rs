//! The JSON of a response.

mod body;
mod device_lists;
mod event;
mod fields;
mod room;
mod sink;

pub(crate) use self::device_lists::e2ee;
pub(crate) use self::event::{write as write_event, write_with as write_event_with};
pub use self::{
    body::{Body, Head, Section},
    device_lists::{DeviceKeys, DeviceLists},
    room::room,
    sink::Sink,
};
