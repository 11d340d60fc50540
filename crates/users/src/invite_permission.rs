//! `m.invite_permission_config`: whether a user can be invited at all (client-server specification, "Invite permission").

use banyan_core::ServiceError;
use serde::Deserialize;

use crate::UserReader;

/// The type of the account data.
pub const TYPE: &str = "m.invite_permission_config";

impl UserReader {
    /// Whether a user takes no invites.
    ///
    /// # Errors
    /// The store's.
    pub async fn blocks_invites(&self, user_id: &str) -> Result<bool, ServiceError> {
        let data = self.account_data(user_id, None, TYPE).await?;
        Ok(data.is_some_and(|data| blocks_invites(&data.content)))
    }
}

/// Whether a content of the account data says so; one that cannot be read does not.
#[must_use]
pub fn blocks_invites(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Config {
        default_action: Option<String>,
    }
    serde_json::from_slice::<Config>(content).is_ok_and(|config| config.default_action.as_deref() == Some("block"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_action_block_blocks() {
        assert!(blocks_invites(br#"{"default_action":"block"}"#));
        for content in ["{}", r#"{"default_action":"allow"}"#, r#"{"default_action":null}"#, r#"{"default_action":1}"#, "[]"] {
            assert!(!blocks_invites(content.as_bytes()), "{content}");
        }
    }
}
