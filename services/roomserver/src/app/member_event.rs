//! The content of m.room.member events.

use banyan_proto::roomserver::Profile;
use serde_json::Value;

/// Puts a user's profile into the content of their membership event, without replacing what is there.
pub(crate) fn set_profile(content: &mut Value, profile: &Profile) {
    for (field, value) in [("displayname", &profile.displayname), ("avatar_url", &profile.avatar_url)] {
        if !value.is_empty() && content.get(field).is_none() {
            content[field] = value.as_str().into();
        }
    }
}
