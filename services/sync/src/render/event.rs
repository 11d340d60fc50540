//! One event, for one reader.

use banyan_rooms::client_event::{Viewer, finish, unsigned_with};

use super::fields;
use crate::{
    app::Context,
    error::SyncError,
    filter::EventFormat,
    tails::change::{Membership, RoomEvent},
};

/// Appends an event in the format that the filter asks for.
pub(crate) fn write(
    out: &mut Vec<u8>,
    context: &Context,
    event: &RoomEvent,
    membership: Option<Membership>,
) -> Result<(), SyncError> {
    write_with(out, context, event, membership, None)
}

/// The same with `unsigned.m.relations`.
pub(crate) fn write_with(
    out: &mut Vec<u8>,
    context: &Context,
    event: &RoomEvent,
    membership: Option<Membership>,
    relations: Option<&[u8]>,
) -> Result<(), SyncError> {
    let viewer = Viewer {
        user_id: &context.user,
        device_id: Some(&context.device),
        membership: membership.map(Membership::as_str),
        now: context.now,
    };
    let unsigned = unsigned_with(&event.stored, viewer, relations)?;
    let begin = out.len();
    match context.filter.event_format {
        EventFormat::Client => out.extend_from_slice(&event.base()?),
        EventFormat::Federation => {
            let pdu = event.stored.pdu.trim_ascii_end();
            out.extend_from_slice(pdu.strip_suffix(b"}").unwrap_or(pdu));
        }
    }
    finish(out, &unsigned);
    if let Some(wanted) = &context.filter.event_fields {
        let whole = out.split_off(begin);
        fields::keep(out, &whole, wanted)?;
    }
    Ok(())
}
