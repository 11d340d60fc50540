//! The frame of a response (client-server specification, GET /sync).

use super::{
    Sink,
    device_lists::{self, DeviceKeys, DeviceLists},
};
use crate::{app::RoomAnswer, error::SyncError, tails::change::Membership};

/// A part of `rooms`, in the order they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Rooms the user is in.
    Join,
    /// Rooms the user is invited to.
    Invite,
    /// Rooms the user knocks at.
    Knock,
    /// Rooms the user left.
    Leave,
}

impl Section {
    const ALL: [(Self, &'static [u8]); 4] = [
        (Self::Join, b"\"join\":{"),
        (Self::Invite, b"\"invite\":{"),
        (Self::Knock, b"\"knock\":{"),
        (Self::Leave, b"\"leave\":{"),
    ];

    /// Where an answer belongs.
    #[must_use]
    pub const fn of(answer: &RoomAnswer) -> Self {
        match answer {
            RoomAnswer::Joined(_) => Self::Join,
            RoomAnswer::Invited(_) => Self::Invite,
            RoomAnswer::Knocked(_) => Self::Knock,
            RoomAnswer::Left(_) => Self::Leave,
        }
    }

    /// Where the answer of a room with this membership belongs.
    #[must_use]
    pub const fn of_membership(membership: Membership) -> Self {
        match membership {
            Membership::Join => Self::Join,
            Membership::Invite => Self::Invite,
            Membership::Knock => Self::Knock,
            Membership::Leave | Membership::Ban => Self::Leave,
        }
    }
}

/// A response being written. Rooms must come in the order of their sections.
#[derive(Debug)]
pub struct Body<'a> {
    sink: &'a mut Sink,
    /// Sections that were opened.
    open: usize,
    first: bool,
}

/// What a response says beside its rooms.
#[derive(Debug, Default)]
pub struct Head {
    /// Global account data: events, each JSON.
    pub account_data: Vec<Vec<u8>>,
    /// Presence: events, each JSON.
    pub presence: Vec<Vec<u8>>,
    /// Messages to the device, oldest first: events, each JSON.
    pub to_device: Vec<Vec<u8>>,
    /// Changes of device lists.
    pub device_lists: DeviceLists,
    /// Unclaimed keys of the device.
    pub device_keys: DeviceKeys,
}

impl<'a> Body<'a> {
    /// Begins a response. Every member is written whether or not it has content: clients count on them.
    pub fn begin(sink: &'a mut Sink, token: &str, head: &Head) -> Self {
        sink.put(b"{\"next_batch\":\"");
        sink.put(token.as_bytes());
        sink.put(b"\"");
        events(sink, b",\"account_data\":{\"events\":[", &head.account_data);
        events(sink, b",\"presence\":{\"events\":[", &head.presence);
        events(sink, b",\"to_device\":{\"events\":[", &head.to_device);
        device_lists::lists(sink, &head.device_lists);
        device_lists::keys(sink, &head.device_keys);
        sink.put(b",\"rooms\":{");
        Self { sink, open: 0, first: true }
    }

    /// Writes a room.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub async fn room(&mut self, section: Section, room: &str, json: &[u8]) -> Result<(), SyncError> {
        self.open_until(section);
        if !std::mem::take(&mut self.first) {
            self.sink.put(b",");
        }
        self.sink.put(serde_json::Value::from(room).to_string().as_bytes());
        self.sink.put(b":");
        self.sink.put(json);
        self.sink.flush_full().await
    }

    /// Ends the response.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub async fn end(mut self) -> Result<(), SyncError> {
        self.open_until(Section::Leave);
        self.sink.put(b"}}}");
        self.sink.finish().await
    }

    fn open_until(&mut self, section: Section) {
        while self.open == 0 || Section::ALL[self.open - 1].0 < section {
            if self.open > 0 {
                self.sink.put(b"},");
            }
            self.sink.put(Section::ALL[self.open].1);
            self.open += 1;
            self.first = true;
        }
    }
}

/// A list of events behind what opens it.
fn events(sink: &mut Sink, open: &[u8], events: &[Vec<u8>]) {
    sink.put(open);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            sink.put(b",");
        }
        sink.put(event);
    }
    sink.put(b"]}");
}
