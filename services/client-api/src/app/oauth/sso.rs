//! Signing in through an upstream provider (specification: "SSO client login/authentication").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{Account, account::Kind},
    userserver::RegisterRequest,
};
use banyan_tenants::{Tenant, config::SsoProviderConfig};
use banyan_users::{SsoFlow, sso::external_id, user_id};
use serde::Deserialize;

use super::{base, upstream::Upstream};
use crate::app::{App, caller::Visitor};

/// What comes of coming back from a provider.
#[derive(Debug)]
pub(crate) enum Returned {
    /// Signed in: the browser's new cookie, and the page to go on at.
    SignedIn { cookie: String, next: String },
    /// They have no account yet and choose a user name: the secret of that form, and a proposal.
    ChooseName { form: String, proposal: String },
    /// The provider did not say who they are: the page that they wanted to go on at.
    Refused { next: String },
    /// Nobody knows who this is: the way took too long, or began in another browser, or was gone twice.
    Unknown,
}

/// What a provider sends somebody back with.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: Option<String>,
    /// Who says so (RFC 9207).
    #[serde(default)]
    iss: Option<String>,
}

/// A tenant's provider of an id.
pub(crate) fn provider<'a>(tenant: &'a Tenant, id: &str) -> Option<&'a SsoProviderConfig> {
    tenant.config().sso.iter().find(|provider| provider.id == id)
}

impl App {
    /// Where somebody is sent who wants to sign in through a provider, and then to go on at `next`.
    ///
    /// # Errors
    /// M_NOT_FOUND for a provider that the tenant does not have; or it does not answer.
    pub(crate) async fn begin_sso(&self, visitor: &Visitor, id: &str, next: &str, cookie: &str) -> Result<String, ServiceError> {
        let upstream = self.upstream(visitor, id)?;
        let flow = self.sso_flows.new_flow(visitor.server_name(), id, next);
        let state = self.sso_flows.keep(&flow, cookie).await?;
        upstream.address(&flow, state).await
    }

    /// Somebody comes back from a provider. Each has a redirect URI of its own, so none can pass off the code of another as its own
    /// (RFC 9700, section 4.4).
    ///
    /// # Errors
    /// The provider's statement does not hold; M_FORBIDDEN where no accounts are made for its people; M_USER_DEACTIVATED, M_USER_LOCKED.
    pub(crate) async fn return_from_sso(
        &self,
        visitor: &Visitor,
        id: &str,
        answer: Answer,
        cookie: &str,
    ) -> Result<Returned, ServiceError> {
        let flow = self.sso_flows.take(visitor.server_name(), &answer.state, cookie).await?;
        let set_out = |flow: &SsoFlow| flow.provider == id && flow.subject.is_empty();
        let Some(mut flow) = flow.filter(set_out) else { return Ok(Returned::Unknown) };
        if answer.iss.is_some_and(|iss| provider(&visitor.tenant, id).is_none_or(|provider| provider.issuer != iss)) {
            return Ok(Returned::Unknown);
        }
        let Some(code) = answer.code else { return Ok(Returned::Refused { next: flow.next }) };
        let vouched = self.upstream(visitor, &flow.provider)?.vouched(&flow, code).await?;
        flow.subject = vouched.subject;
        if let Some(account) = self.external_account(&flow).await? {
            return self.signed_in_as(visitor, flow, &account.0, &account.1).await;
        }
        let provider = self.upstream(visitor, &flow.provider)?.provider;
        let proposal = vouched.username.unwrap_or_default().to_lowercase();
        if provider.existing_accounts
            && let Some(account) = self.account_of_name(visitor, &proposal).await?
            && can_be_given(&account.1, &flow.provider)
        {
            let row = self.external_ids.assign(&flow, &account.0, true).await?;
            if row.user_id == account.0 {
                return self.signed_in_as(visitor, flow, &account.0, &account.1).await;
            }
        }
        if !provider.create_accounts {
            return Err(ServiceError::forbidden("You have no account here"));
        }
        let unasked = visitor.tenant.config().registration.terms.is_empty();
        if unasked && self.check_username(visitor, &proposal).await.is_ok() {
            match self.make_external_account(visitor, flow.clone(), &proposal).await {
                // Somebody else was faster.
                Err(error) if error.code == ErrorCode::Conflict => {}
                outcome => return outcome,
            }
        }
        let form = self.sso_flows.keep(&flow, cookie).await?;
        Ok(Returned::ChooseName { form, proposal })
    }

    /// Somebody chose a user name for the account that is made for them.
    ///
    /// # Errors
    /// M_INVALID_USERNAME, M_USER_IN_USE: with the secret of the next try's form.
    pub(crate) async fn choose_sso_name(
        &self,
        visitor: &Visitor,
        form: &str,
        username: &str,
        cookie: &str,
    ) -> Result<Result<Returned, (ServiceError, String)>, ServiceError> {
        let flow = self.sso_flows.take(visitor.server_name(), form, cookie).await?;
        let Some(flow) = flow.filter(|flow| !flow.subject.is_empty()) else { return Ok(Ok(Returned::Unknown)) };
        match self.make_external_account(visitor, flow.clone(), username).await {
            Err(error) if matches!(error.code, ErrorCode::Conflict | ErrorCode::InvalidArgument) => {
                Ok(Err((error, self.sso_flows.keep(&flow, cookie).await?)))
            }
            outcome => outcome.map(Ok),
        }
    }

    /// Makes the account. What is about to be made is noted first, and the account says for whom it is: whoever goes on where another
    /// process stopped knows their own.
    async fn make_external_account(&self, visitor: &Visitor, flow: SsoFlow, username: &str) -> Result<Returned, ServiceError> {
        let user_id = user_id::for_registration(username, visitor.server_name())?;
        let assigned = self.external_ids.assign(&flow, &user_id, false).await?;
        if let Some(account) = self.external_account(&flow).await? {
            return self.signed_in_as(visitor, flow, &account.0, &account.1).await;
        }
        let request = RegisterRequest {
            caller: Some(visitor.about_user(&assigned.user_id)),
            inhibit_login: true,
            remote_addr: visitor.address.to_string(),
            accepted_terms: super::create::accepted(&visitor.tenant),
            external_id: external_id(&flow),
            ..RegisterRequest::default()
        };
        self.register_at_owner(&assigned.user_id, request).await?;
        let made = || ServiceError::unavailable("The account was made. Please sign in again.");
        let account = self.external_account(&flow).await?.ok_or_else(made)?;
        self.signed_in_as(visitor, flow, &account.0, &account.1).await
    }

    /// The account of somebody, if it was made or given to them.
    async fn external_account(&self, flow: &SsoFlow) -> Result<Option<(String, Account)>, ServiceError> {
        let Some(row) = self.external_ids.find(flow).await? else { return Ok(None) };
        let Some(account) = self.users.account(&row.user_id).await? else { return Ok(None) };
        if row.made {
            return Ok(Some((row.user_id, account)));
        }
        if !account.external_ids.contains(&external_id(flow)) {
            return Ok(None);
        }
        self.external_ids.assign(flow, &row.user_id, true).await?;
        Ok(Some((row.user_id, account)))
    }

    /// The account that has a name already.
    async fn account_of_name(&self, visitor: &Visitor, name: &str) -> Result<Option<(String, Account)>, ServiceError> {
        let Ok(user_id) = user_id::for_registration(name, visitor.server_name()) else { return Ok(None) };
        Ok(self.users.account(&user_id).await?.map(|account| (user_id, account)))
    }

    async fn signed_in_as(
        &self,
        visitor: &Visitor,
        flow: SsoFlow,
        user_id: &str,
        account: &Account,
    ) -> Result<Returned, ServiceError> {
        let cookie = self.begin_browser_session(visitor, user_id, account).await?;
        Ok(Returned::SignedIn { cookie, next: flow.next })
    }

    fn upstream<'a>(&'a self, visitor: &'a Visitor, id: &str) -> Result<Upstream<'a>, ServiceError> {
        let redirect_uri = format!("{}/oauth2/sso/callback/{id}", base(visitor)?);
        let provider =
            provider(&visitor.tenant, id).ok_or_else(|| ServiceError::not_found("There is no such way to sign in here"))?;
        Ok(Upstream { outbound: &self.outbound, provider, secret: visitor.tenant.sso_secret(id), redirect_uri })
    }
}

/// Whether an account can belong to whoever a provider knows by its name. One that was made for somebody there cannot: a name that they
/// gave up there, and another has now, is not the other's here.
fn can_be_given(account: &Account, provider: &str) -> bool {
    let theirs = account.external_ids.iter().any(|id| id.split_once('/').is_some_and(|(of, _)| of == provider));
    !theirs && !account.deactivated && account.kind() == Kind::User
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_given_to_nobody_who_only_has_the_name() {
        let free = Account { external_ids: vec!["other/1".to_owned()], ..Account::default() };
        assert!(can_be_given(&free, "corp"));
        for account in [
            Account { external_ids: vec!["corp/1".to_owned()], ..Account::default() },
            Account { deactivated: true, ..Account::default() },
            Account { kind: Kind::Guest.into(), ..Account::default() },
        ] {
            assert!(!can_be_given(&account, "corp"), "{account:?}");
        }
    }
}
