//! The stage that an e-mail address passes (specification: "Email-based (identity / homeserver)").
//!
//! What it proves is two lines: the id of the validation and the address. The validation is used up when the operation is done, not here:
//! whoever has to go on with further stages, or to choose another name, need not read their mail again.

use banyan_core::{ErrorCode, ServiceError};
use banyan_users::{
    UiaSession, threepid,
    validation::{Proved, Purpose},
};

use super::{
    Auth, PASSWORD, REGISTER,
    stage::{Tried, unauthorized},
};
use crate::app::{
    App,
    caller::Visitor,
    email::{TokenWish, not_found},
    threepids::Credentials,
};

/// The id of the validation that the stage's subject names.
pub(crate) fn validation_of(subject: &str) -> Option<&str> {
    subject.lines().next()
}

/// The address that the stage's subject names.
pub(crate) fn address_of(subject: &str) -> Option<&str> {
    subject.lines().nth(1)
}

/// What the stage proves an address for.
fn purpose_of(session: &UiaSession) -> Option<Purpose> {
    match session.endpoint() {
        REGISTER => Some(Purpose::Register),
        PASSWORD => Some(Purpose::Reset),
        _ => None,
    }
}

fn not_by_mail() -> ServiceError {
    unauthorized("This cannot be confirmed by mail")
}

impl App {
    /// Has the mail sent that the stage's page asks for: what the page brings along once it is confirmed.
    pub(super) async fn send_proof(
        &self,
        visitor: &Visitor,
        session: &UiaSession,
        email: String,
    ) -> Result<Credentials, ServiceError> {
        let purpose = purpose_of(session).ok_or_else(not_by_mail)?;
        let client_secret = self.entropy.alphanumeric(32);
        let wish = TokenWish { client_secret: client_secret.clone(), email, send_attempt: 1, next_link: None };
        let sid = self.request_email_token(visitor, purpose, &wish).await?;
        Ok(Credentials { sid, client_secret })
    }

    pub(super) async fn try_email(&self, visitor: &Visitor, session: &UiaSession, auth: &Auth) -> Tried {
        let Some(credentials) = auth.threepid_creds.as_ref().or(auth.old_threepid_creds.as_ref()) else {
            return Ok(Err(ServiceError::bad_json("auth.threepid_creds is missing")));
        };
        let Some(purpose) = purpose_of(session) else { return Ok(Err(not_by_mail())) };
        let (sid, secret) = (&credentials.sid, &credentials.client_secret);
        let tried = async {
            let proved = self.validations.proved(visitor.server_name(), purpose, sid, secret, session.id()).await?;
            self.fits_accounts(visitor, session, purpose, &proved).await?;
            Ok::<_, ServiceError>(format!("{sid}\n{}", proved.address))
        };
        match tried.await {
            Ok(subject) => Ok(Ok(subject)),
            // Clients ask again and again while somebody looks for the mail.
            Err(error) if error.errcode.as_deref() == Some("M_THREEPID_AUTH_FAILED") => {
                Ok(Err(ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNAUTHORIZED", error.message)))
            }
            Err(error) if error.code == ErrorCode::InvalidArgument => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// An address that is to be an account's is held for it; one that is to set a password must have an account.
    async fn fits_accounts(
        &self,
        visitor: &Visitor,
        session: &UiaSession,
        purpose: Purpose,
        proved: &Proved,
    ) -> Result<(), ServiceError> {
        if purpose == Purpose::Register {
            return self.claim_threepid(visitor, visitor.request_id, "", session.id(), proved).await;
        }
        let owner = self.users.threepid_owner(visitor.server_name(), threepid::EMAIL, &proved.address).await?;
        owner.map(drop).ok_or_else(not_found)
    }
}
