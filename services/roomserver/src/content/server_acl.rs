//! m.room.server_acl: which servers may take part in a room.

use banyan_core::ServiceError;
use banyan_rooms::pdu::Pdu;
use ruma::{ServerName, events::room::server_acl::RoomServerAclEventContent};

/// Refuses a server that a room's ACL shuts out.
pub(crate) fn check(acl: Option<&Pdu>, server: &ServerName) -> Result<(), ServiceError> {
    if allows(acl, server) {
        return Ok(());
    }
    Err(ServiceError::forbidden(format!("{server} is denied by the room's server ACL")))
}

/// Whether a room's ACL lets a server take part. Without one, or with one that cannot be read, all may (server-server specification,
/// "Server Access Control Lists"). Case does not matter.
fn allows(acl: Option<&Pdu>, server: &ServerName) -> bool {
    let Some(acl) = acl.and_then(|event| event.content_as::<RoomServerAclEventContent>().ok()) else { return true };
    let lower = |list: Vec<String>| list.into_iter().map(|glob| glob.to_ascii_lowercase()).collect();
    let acl = RoomServerAclEventContent::new(acl.allow_ip_literals, lower(acl.allow), lower(acl.deny));
    ServerName::parse(server.as_str().to_ascii_lowercase()).is_ok_and(|server| acl.is_allowed(&server))
}
