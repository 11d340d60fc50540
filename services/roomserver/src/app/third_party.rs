//! Joins by an invitation to a third-party identifier: an identity server signed that the identifier is the user's
//! (client-server specification, "Third-party invites").
//!
//! Whoever sent the invitation now invites the user, with the signed token in the event. That a key of the invitation signed it is for the
//! authorisation rules to say. Whether the key was revoked since (`key_validity_url`) cannot be asked without outbound HTTP.

use banyan_core::ServiceError;
use banyan_rooms::{
    event_builder::{self, EventDraft},
    state::StateKey,
};
use ruma::{UserId, events::StateEventType};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{actor::Turn, errors};

/// `third_party_signed` of a join, as far as it is looked at here.
#[derive(Deserialize)]
struct Signed {
    mxid: String,
    token: String,
    signatures: Value,
}

#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    display_name: String,
}

/// Invites `target` in the name of who invited the identifier, unless they are in the room or invited.
pub(super) async fn invite(turn: &mut Turn, target: &UserId, signed: &[u8]) -> Result<(), ServiceError> {
    let signed: Signed =
        serde_json::from_slice(signed).map_err(|error| ServiceError::bad_json(format!("third_party_signed: {error}")))?;
    if matches!(turn.membership(target.as_str()).await?.as_str(), "join" | "invite") {
        return Ok(());
    }
    if signed.mxid != target.as_str() {
        return Err(ServiceError::forbidden("third_party_signed is for another user"));
    }
    let invitation = turn.state_event(StateEventType::RoomThirdPartyInvite, &signed.token).await?;
    let invitation = invitation.ok_or_else(|| ServiceError::forbidden("there is no such invitation in the room"))?;
    let sender = invitation.sender().to_owned();
    if !turn.tenants().is_local(sender.server_name().as_str()) {
        return Err(errors::remote(sender.as_str()));
    }
    let Ok(Invitation { display_name }) = invitation.content_as() else {
        return Err(ServiceError::forbidden("the invitation was withdrawn"));
    };
    let signed = json!({"mxid": signed.mxid, "token": signed.token, "signatures": signed.signatures});
    let content = json!({"membership": "invite", "third_party_invite": {"display_name": display_name, "signed": signed}});
    let content = event_builder::content_from_json(content.to_string().as_bytes()).map_err(|error| errors::build(&error))?;
    let draft = EventDraft::state(sender, StateKey::member(target), content, turn.timestamp());
    turn.send(draft, None, &[target.server_name()]).await?;
    Ok(())
}
