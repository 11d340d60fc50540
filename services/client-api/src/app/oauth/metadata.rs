//! What apps need to know of this server (specification: "Server metadata discovery"; RFC 8414).

use banyan_core::ServiceError;
use serde_json::{Value, json};

use super::{AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, account::ACTIONS, base, create};
use crate::app::{App, caller::Visitor};

impl App {
    /// The document.
    ///
    /// # Errors
    /// M_UNRECOGNIZED where the tenant has no OAuth 2.0 API.
    pub(crate) fn oauth_metadata(&self, visitor: &Visitor) -> Result<Value, ServiceError> {
        let base = base(visitor)?;
        let mut grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN];
        let mut metadata = json!({
            "issuer": format!("{base}/"),
            "authorization_endpoint": format!("{base}/oauth2/authorize"),
            "token_endpoint": format!("{base}/oauth2/token"),
            "registration_endpoint": format!("{base}/oauth2/clients"),
            "revocation_endpoint": format!("{base}/oauth2/revoke"),
            "account_management_uri": format!("{base}/oauth2/account"),
            "account_management_actions_supported": ACTIONS,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": true,
            "scopes_supported": ["urn:matrix:client:api:*"],
        });
        if visitor.tenant.config().oauth.device_grant {
            grants.push(DEVICE_CODE);
            metadata["device_authorization_endpoint"] = json!(format!("{base}/oauth2/device"));
        }
        if create::is_open(&visitor.tenant) {
            metadata["prompt_values_supported"] = json!(["create"]);
        }
        metadata["grant_types_supported"] = json!(grants);
        Ok(metadata)
    }
}
