//! `banyan user create`

use std::error::Error;

use banyan_users::shared_secret::{SignedRegistration, sign};
use clap::Args;
use serde_json::json;

use super::{Password, first_line, server::Server};

const REGISTER: &str = "/_synapse/admin/v1/register";

#[derive(Args, Debug)]
pub(in crate::commands) struct Create {
    /// The new user's name: `alice` of `@alice:example.org`.
    name: String,
    /// Make an administrator.
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    server: Server,
}

impl Create {
    pub(super) async fn run(self) -> Result<(), Box<dyn Error>> {
        let target = self.server.target()?;
        let file = target.tenant.registration.shared_secret_file.as_deref();
        let file = file.ok_or_else(|| {
            format!("accounts are made with a secret: set registration.shared_secret_file of {}", target.tenant.server_name)
        })?;
        let (secret, password) = (first_line(file)?, self.password.read()?);
        let answer = target.get(REGISTER).await?;
        let nonce = answer["nonce"].as_str().ok_or("the server gave no nonce")?;
        let (username, admin) = (self.name.as_str(), self.admin);
        let unsigned = SignedRegistration { nonce, username, password: &password, admin, user_type: None, mac: "" };
        let mac = sign(secret.trim(), unsigned);
        let body = json!({ "nonce": nonce, "username": username, "password": password, "admin": admin, "mac": mac });
        let answer = target.post(REGISTER, None, &body).await?;
        let kind = if admin { "administrator" } else { "user" };
        println!("made the {kind} {}", answer["user_id"].as_str().unwrap_or(username));
        Ok(())
    }
}
