//! What this server can do.

use banyan_tenants::{Tenant, config::ROOM_VERSIONS};
use serde_json::{Map, Value, json};

/// The versions of the specification whose endpoints, as far as they are served, behave as it says.
pub(crate) const SPECIFICATION_VERSIONS: &[&str] = &[
    "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12", "v1.13",
    "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

/// The `capabilities` object (client-server API, "Capabilities negotiation") of a user, who may be an administrator. A session of
/// the OAuth 2.0 API cannot confirm anything by password.
pub(crate) fn capabilities(tenant: &Tenant, admin: bool, oauth: bool) -> Value {
    let login = &tenant.config().login;
    let available: Map<String, Value> = ROOM_VERSIONS.iter().map(|version| ((*version).to_owned(), json!("stable"))).collect();
    let mut capabilities = json!({
        "m.3pid_changes": { "enabled": tenant.config().email.is_some() && login.password && !oauth },
        "m.change_password": { "enabled": login.password && !oauth },
        "m.forget_forced_upon_leave": { "enabled": tenant.config().forget_rooms_upon_leave },
        "m.get_login_token": { "enabled": login.token && login.legacy && !oauth },
        "m.profile_fields": { "enabled": true },
        "m.room_versions": { "default": tenant.config().default_room_version, "available": available },
        "m.set_avatar_url": { "enabled": true },
        "m.set_displayname": { "enabled": true },
    });
    let delayed = tenant.config().delayed_events;
    if delayed.enabled() {
        capabilities["org.matrix.msc4140.delayed_events"] =
            json!({ "max_delay_ms": delayed.max_delay_ms, "max_scheduled": delayed.max_scheduled });
    }
    if admin {
        capabilities["m.account_moderation"] = json!({ "lock": true, "suspend": true });
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use banyan_rooms::version::RoomVersion;
    use banyan_tenants::TenantConfig;

    use super::*;

    #[test]
    fn what_tenants_may_choose_is_what_rooms_are_made_of() {
        let served: Vec<_> = RoomVersion::all().iter().map(RoomVersion::as_str).collect();
        assert_eq!(ROOM_VERSIONS[..], served[..]);
        assert_eq!(TenantConfig::new("x").default_room_version, RoomVersion::preferred().as_str());
    }
}
