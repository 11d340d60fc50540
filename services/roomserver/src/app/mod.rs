//! The use cases, one per file: plain types in, plain types out.

pub(crate) mod change_membership;
pub(crate) mod claim_alias;
pub(crate) mod create_room;
pub(crate) mod forget_room;
pub(crate) mod intents;
pub(crate) mod note_device_list;
pub(crate) mod prepare_room;
pub(crate) mod publish_room;
pub(crate) mod release_alias;
pub(crate) mod send_event;
pub(crate) mod set_receipts;
pub(crate) mod set_typing;
pub(crate) mod spread_profile;
pub(crate) mod upgrade_room;

mod canonical_alias;
mod copied_state;
mod forced_forget;
mod guests;
mod invite_permission;
mod member_event;
mod power_levels;
mod redact;
mod relations;
mod restricted;
mod same_state;
mod third_party;
