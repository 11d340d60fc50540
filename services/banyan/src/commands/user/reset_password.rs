//! `banyan user reset-password`

use std::{error::Error, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{Password, first_line, server::Server};

#[derive(Args, Debug)]
pub(in crate::commands) struct ResetPassword {
    /// The user: `alice`, or `@alice:example.org`.
    user: String,
    /// A file whose first line is an administrator's access token.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Leave the user's sessions as they are. Without this they end.
    #[arg(long)]
    keep_sessions: bool,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    server: Server,
}

impl ResetPassword {
    pub(super) async fn run(self) -> Result<(), Box<dyn Error>> {
        let target = self.server.target()?;
        let (token, password) = (first_line(&self.token_file)?, self.password.read()?);
        let user_id = if self.user.starts_with('@') { self.user } else { format!("@{}:{}", self.user, target.tenant.server_name) };
        let path = format!("/_synapse/admin/v1/reset_password/{}", escaped(&user_id));
        let body = json!({ "new_password": password, "logout_devices": !self.keep_sessions });
        target.post(&path, Some(token.trim()), &body).await?;
        println!("{user_id} has the new password");
        Ok(())
    }
}

/// A path's segment: all but what cannot be mistaken is percent-encoded.
fn escaped(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@:._=-".contains(&byte);
    segment.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_user_id_stays_one_segment() {
        assert_eq!(escaped("@alice:example.org"), "@alice:example.org");
        assert_eq!(escaped("@a/b+c?é:x"), "@a%2Fb%2Bc%3F%C3%A9:x");
    }
}
