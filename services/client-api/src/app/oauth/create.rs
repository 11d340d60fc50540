//! Making an account on the pages of this server (specification: "User registration").

use std::collections::HashSet;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{RegisterRequest, use_registration_token_request::Step};
use banyan_tenants::Tenant;

use crate::app::{App, caller::Visitor, uia::stage};

/// The shortest password that the page takes, in characters.
pub(crate) const MIN_PASSWORD: usize = 8;

/// What somebody typed.
pub(crate) struct NewAccount {
    pub(crate) username: String,
    pub(crate) password: String,
    /// A token that allows it.
    pub(crate) token: Option<String>,
    /// They accept the tenant's policies.
    pub(crate) accepted: bool,
}

/// The flows that the page can take somebody through.
fn flows(tenant: &Tenant) -> Vec<Vec<&'static str>> {
    let known = [stage::DUMMY, stage::TOKEN, stage::TERMS];
    tenant.registration_flows().into_iter().filter(|flow| flow.iter().all(|stage| known.contains(stage))).collect()
}

/// Whether accounts can be made on the page.
pub(crate) fn is_open(tenant: &Tenant) -> bool {
    !flows(tenant).is_empty()
}

/// Whether a token is asked for, and whether nobody gets on without one.
pub(crate) fn token_wanted(tenant: &Tenant) -> (bool, bool) {
    let flows = flows(tenant);
    let with_token = |flow: &Vec<&str>| flow.contains(&stage::TOKEN);
    (flows.iter().any(with_token), flows.iter().all(with_token))
}

impl App {
    /// Makes an account and signs in to it: the browser's new cookie.
    ///
    /// # Errors
    /// M_FORBIDDEN where nobody may, or not with this token, M_INVALID_USERNAME, M_USER_IN_USE, M_WEAK_PASSWORD, M_INVALID_PARAM
    /// where the policies were not accepted.
    pub(crate) async fn create_account(&self, visitor: &Visitor, wish: NewAccount) -> Result<String, ServiceError> {
        let tenant = &visitor.tenant;
        if !is_open(tenant) {
            return Err(ServiceError::forbidden("No accounts are made here"));
        }
        let user_id = self.check_username(visitor, &wish.username).await?;
        long_enough(&wish.password)?;
        let terms = &tenant.config().registration.terms;
        if !terms.is_empty() && !wish.accepted {
            return Err(ServiceError::invalid_param("The policies were not accepted"));
        }
        let session = self.entropy.alphanumeric(24);
        let token = self.hold_token(visitor, &session, wish.token).await?;
        let request = RegisterRequest {
            caller: Some(visitor.about_user(&user_id)),
            password: wish.password,
            inhibit_login: true,
            remote_addr: visitor.address.to_string(),
            accepted_terms: accepted(tenant),
            ..RegisterRequest::default()
        };
        self.register_at_owner(&user_id, request).await?;
        if let Some(token) = token
            && let Err(error) = self.use_token(visitor, &session, &token, Step::Complete).await
        {
            // The hold ends by itself; the account is made and stays.
            tracing::warn!(%error, "a use of a registration token could not be counted");
        }
        let made = || ServiceError::unavailable("The account was made. Please sign in.");
        let account = self.users.account(&user_id).await?.ok_or_else(made)?;
        self.begin_browser_session(visitor, &user_id, &account).await
    }

    /// Holds a use of the token that somebody typed, where one is wanted.
    async fn hold_token(&self, visitor: &Visitor, session: &str, typed: Option<String>) -> Result<Option<String>, ServiceError> {
        let typed = typed.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        let (wanted, needed) = token_wanted(&visitor.tenant);
        let invalid = || ServiceError::forbidden("This registration token is not valid");
        match typed.filter(|_| wanted) {
            Some(token) if self.use_token(visitor, session, &token, Step::Hold).await? => Ok(Some(token)),
            Some(_) => Err(invalid()),
            None if needed => Err(invalid()),
            None => Ok(None),
        }
    }
}

/// Refuses a password that is too short for the pages.
///
/// # Errors
/// M_WEAK_PASSWORD.
pub(super) fn long_enough(password: &str) -> Result<(), ServiceError> {
    if password.chars().count() < MIN_PASSWORD {
        let why = "The password has fewer than 8 characters";
        return Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_WEAK_PASSWORD", why));
    }
    Ok(())
}

/// What somebody accepts who accepts the policies of a tenant.
pub(super) fn accepted(tenant: &Tenant) -> Vec<String> {
    tenant.config().registration.terms.iter().map(|policy| format!("{}/{}", policy.id, policy.version)).collect()
}

/// The policies of a tenant, each once, in the language of the page where there is one.
pub(crate) fn policies(tenant: &Tenant) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let documents = tenant.config().registration.terms.iter().filter_map(|policy| {
        let english = policy.documents.iter().find(|document| document.language.starts_with("en"));
        english.or_else(|| policy.documents.first())
    });
    documents.map(|document| (document.name.clone(), document.url.clone())).filter(|policy| seen.insert(policy.clone())).collect()
}
