//! Proving that an e-mail address is somebody's (specification: Client-Server API, `…/email/requestToken`): a mail with a link, whoever
//! opens it confirms on a page, and what was asked for goes on in the client.
//!
//! Nobody finds out by asking for mails who has an account, unless the tenant wants it so: an address that has one, or has none, gets a
//! mail that says it.

use std::time::Duration;

use banyan_core::{ErrorCode, ServiceError};
use banyan_mail::{Address, Mail};
use banyan_tenants::config::EmailConfig;
use banyan_users::{
    threepid,
    validation::{Confirmation, Purpose, Wanted},
};
use http::Uri;
use serde::Deserialize;

use super::{App, caller::Visitor, uia::stage};

/// Where links in mails lead.
const CONFIRM: &str = "/_banyan/client/v1/email/confirm";

/// The request's body.
#[derive(Deserialize)]
pub(crate) struct TokenWish {
    pub(super) client_secret: String,
    pub(super) email: String,
    pub(super) send_attempt: u64,
    #[serde(default)]
    pub(super) next_link: Option<String>,
}

impl App {
    /// Sends a mail by which `purpose` can be proved, unless this attempt's was sent; answers the session's id.
    ///
    /// # Errors
    /// M_THREEPID_MEDIUM_NOT_SUPPORTED where the tenant sends no mails, M_INVALID_PARAM, M_THREEPID_DENIED for an address or a purpose that
    /// the tenant does not allow, M_LIMIT_EXCEEDED; M_THREEPID_IN_USE and M_THREEPID_NOT_FOUND where the tenant tells; 503 if the mail
    /// cannot be sent.
    pub(crate) async fn request_email_token(
        &self,
        visitor: &Visitor,
        purpose: Purpose,
        wish: &TokenWish,
    ) -> Result<String, ServiceError> {
        let config = visitor.tenant.config().email.as_ref().ok_or_else(not_supported)?;
        if purpose == Purpose::Register && !visitor.tenant.registration_flows().iter().flatten().any(|name| *name == stage::EMAIL) {
            return Err(denied("Nobody registers here with an e-mail address"));
        }
        let (address, recipient) = parse(&wish.email)?;
        check_next_link(config, wish.next_link.as_deref())?;
        if !config.allows(&address) {
            return Err(denied("Addresses of this domain are not allowed here"));
        }
        let has_account = self.users.threepid_owner(visitor.server_name(), threepid::EMAIL, &address).await?.is_some();
        // A password is set for who has an account; the rest is for who has none.
        let with_link = has_account == (purpose == Purpose::Reset);
        if !with_link && config.reveal_accounts {
            return Err(if has_account { threepid::in_use() } else { not_found() });
        }
        // As stored, 0 is none.
        let send_attempt = wish.send_attempt.saturating_add(1);
        let wanted = Wanted {
            tenant: visitor.server_name(),
            purpose,
            address: &address,
            client_secret: &wish.client_secret,
            send_attempt,
            next_link: wish.next_link.as_deref(),
            lifetime: lifetime(config),
            with_link,
        };
        let begun = self.validations.begin(&wanted).await?;
        if let Some(token) = begun.token {
            self.allow_mail(visitor, &address).await?;
            let link = self.link(visitor, &begun.sid, &token);
            let mail = mail(purpose, with_link, &link, config.link_seconds / 60);
            self.outbox.send(visitor.server_name(), recipient, mail).await?;
            self.validations.sent(visitor.server_name(), &begun.sid, send_attempt).await?;
        }
        Ok(begun.sid)
    }

    /// What the link of a mail is about; `None` if it is over or never was one. `confirm`: whoever opened it says so.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn email_link(
        &self,
        visitor: &Visitor,
        sid: &str,
        token: &str,
        confirm: bool,
    ) -> Result<Option<Confirmation>, ServiceError> {
        let Some(config) = &visitor.tenant.config().email else { return Ok(None) };
        if confirm {
            self.validations.confirm(visitor.server_name(), sid, token, lifetime(config)).await
        } else {
            self.validations.find(visitor.server_name(), sid, token).await
        }
    }

    async fn allow_mail(&self, visitor: &Visitor, address: &str) -> Result<(), ServiceError> {
        let limits = &visitor.tenant.config().rate_limits;
        if !limits.enabled {
            return Ok(());
        }
        self.allowances.take(visitor.server_name(), "mail", address, limits.mail.per_second, limits.mail.burst).await
    }

    /// The session id and the token need no escaping.
    fn link(&self, visitor: &Visitor, sid: &str, token: &str) -> String {
        let base_url = visitor.tenant.config().base_url.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{base_url}{CONFIRM}?sid={sid}&token={token}")
    }
}

fn mail(purpose: Purpose, with_link: bool, link: &str, minutes: u64) -> Mail<'_> {
    match (purpose, with_link) {
        (Purpose::Register, true) => Mail::Register { link, minutes },
        (Purpose::Add, true) => Mail::Add { link, minutes },
        (Purpose::Reset, true) => Mail::Reset { link, minutes },
        (Purpose::Register | Purpose::Add, false) => Mail::HasAccount,
        (Purpose::Reset, false) => Mail::NoAccount,
    }
}

fn parse(email: &str) -> Result<(String, Address), ServiceError> {
    let invalid = || ServiceError::invalid_param("This is no e-mail address");
    let address = threepid::canonical_email(email).ok_or_else(invalid)?;
    // As it was typed: only the domain is without case to mail servers.
    let recipient = email.trim().parse().map_err(|_| invalid())?;
    Ok((address, recipient))
}

fn check_next_link(config: &EmailConfig, next_link: Option<&str>) -> Result<(), ServiceError> {
    let Some(next_link) = next_link else { return Ok(()) };
    let refused = || ServiceError::invalid_param("next_link must lead to a web page that this server allows");
    let uri: Uri = next_link.parse().map_err(|_| refused())?;
    let host = uri.host().filter(|_| matches!(uri.scheme_str(), Some("https" | "http"))).ok_or_else(refused)?;
    let allowed = &config.next_link_hosts;
    if allowed.is_empty() || allowed.iter().any(|name| name.eq_ignore_ascii_case(host)) { Ok(()) } else { Err(refused()) }
}

fn lifetime(config: &EmailConfig) -> Duration {
    Duration::from_secs(config.link_seconds)
}

fn not_supported() -> ServiceError {
    let message = "This server sends no mails";
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_THREEPID_MEDIUM_NOT_SUPPORTED", message)
}

fn denied(message: &'static str) -> ServiceError {
    ServiceError::matrix(ErrorCode::Forbidden, "M_THREEPID_DENIED", message)
}

/// 400 M_THREEPID_NOT_FOUND.
pub(super) fn not_found() -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_THREEPID_NOT_FOUND", "No account has this address")
}
