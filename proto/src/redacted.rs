//! `Debug` of the messages that carry secrets (the list is in build.rs): names and sizes, never passwords, tokens, hashes or keys, so
//! that no log line can leak one.

use std::fmt::{Debug, Formatter, Result};

use crate::{
    tenants::TenantKeyRow,
    users::{Account, RegistrationTokenUsed, SsoFlowRow, UiaStage, account},
    userserver::{
        ChangePasswordRequest, CheckPasswordRequest, LoginRequest, LoginResponse, RegisterRequest, UseRegistrationTokenRequest,
        use_registration_token_request,
    },
};

/// Stands for a secret: whether there is one, and nothing else.
struct Hidden(bool);

impl Debug for Hidden {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.0 { "<hidden>" } else { "<none>" })
    }
}

fn hidden(secret: &[u8]) -> Hidden {
    Hidden(!secret.is_empty())
}

impl Debug for TenantKeyRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TenantKeyRow").field("key_id", &self.key_id).field("created", &self.created).finish_non_exhaustive()
    }
}

impl Debug for account::Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str_name())
    }
}

impl Debug for Account {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Account")
            .field("kind", &self.kind())
            .field("password_hash", &hidden(self.password_hash.as_bytes()))
            .field("created", &self.created)
            .field("deactivated", &self.deactivated)
            .field("locked", &self.locked)
            .field("suspended", &self.suspended)
            .field("admin", &self.admin)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

impl Debug for RegistrationTokenUsed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("RegistrationTokenUsed").field("tenant", &self.tenant).field("row", &self.row).finish_non_exhaustive()
    }
}

impl Debug for SsoFlowRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SsoFlowRow").field("tenant", &self.tenant).field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Debug for UiaStage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("UiaStage").field("type", &self.r#type).finish_non_exhaustive()
    }
}

impl Debug for RegisterRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("RegisterRequest")
            .field("caller", &self.caller)
            .field("password", &hidden(self.password.as_bytes()))
            .field("guest", &self.guest)
            .field("admin", &self.admin)
            .field("inhibit_login", &self.inhibit_login)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

impl Debug for LoginRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LoginRequest")
            .field("caller", &self.caller)
            .field("password", &hidden(self.password.as_bytes()))
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

impl Debug for CheckPasswordRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("CheckPasswordRequest")
            .field("caller", &self.caller)
            .field("password", &hidden(self.password.as_bytes()))
            .finish()
    }
}

impl Debug for ChangePasswordRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ChangePasswordRequest")
            .field("caller", &self.caller)
            .field("new_password", &hidden(self.new_password.as_bytes()))
            .field("logout_devices", &self.logout_devices)
            .finish()
    }
}

impl Debug for LoginResponse {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LoginResponse")
            .field("user_id", &self.user_id)
            .field("access_token", &hidden(self.access_token.as_bytes()))
            .field("device_id", &self.device_id)
            .field("refresh_token", &hidden(self.refresh_token.as_bytes()))
            .field("expires_in_ms", &self.expires_in_ms)
            .finish()
    }
}

impl Debug for use_registration_token_request::Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str_name())
    }
}

impl Debug for UseRegistrationTokenRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("UseRegistrationTokenRequest")
            .field("caller", &self.caller)
            .field("token", &hidden(self.token.as_bytes()))
            .field("step", &self.step())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let secret = "correct horse battery staple";
        let shown = [
            format!("{:?}", RegisterRequest { password: secret.into(), ..Default::default() }),
            format!("{:?}", LoginRequest { password: secret.into(), ..Default::default() }),
            format!("{:?}", CheckPasswordRequest { password: secret.into(), ..Default::default() }),
            format!("{:?}", ChangePasswordRequest { new_password: secret.into(), ..Default::default() }),
            format!("{:?}", LoginResponse { access_token: secret.into(), ..Default::default() }),
            format!("{:?}", LoginResponse { refresh_token: secret.into(), ..Default::default() }),
            format!("{:?}", Account { password_hash: secret.into(), ..Default::default() }),
            format!("{:?}", RegistrationTokenUsed { token: secret.into(), ..Default::default() }),
            format!("{:?}", UseRegistrationTokenRequest { token: secret.into(), session: secret.into(), ..Default::default() }),
            format!("{:?}", SsoFlowRow { nonce: secret.into(), verifier: secret.into(), ..Default::default() }),
            format!("{:?}", UiaStage { subject: secret.into(), ..Default::default() }),
            format!("{:?}", TenantKeyRow { secret: secret.into(), ..Default::default() }),
        ];
        for text in shown {
            assert!(!text.contains("horse") && !text.contains("104, 111, 114, 115, 101"), "{text}");
        }
    }
}
