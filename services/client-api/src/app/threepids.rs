//! The e-mail addresses of accounts (specification: Client-Server API, "Adding Account Administrative Contact Information").

use std::future::Future;

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::userserver::{Caller, ClaimThreepidRequest, ReleaseThreepidRequest};
use banyan_users::{
    TokenHash, UserThreepid, threepid,
    validation::{Proved, Purpose},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{App, Requester, caller::Visitor, uia::Uia};
use crate::calls::UserClient;

/// What a client gives of a validation.
#[derive(Clone, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) sid: String,
    pub(crate) client_secret: String,
}

/// Which identifier is meant.
#[derive(Deserialize)]
pub(crate) struct Threepid {
    pub(super) medium: String,
    pub(super) address: String,
}

impl Threepid {
    /// As it is stored, if it can be.
    fn canonical(&self) -> Option<String> {
        (self.medium == threepid::EMAIL).then(|| threepid::canonical_email(&self.address)).flatten()
    }
}

impl App {
    /// The caller's identifiers.
    pub(crate) async fn threepids(&self, requester: &Requester) -> Result<Vec<UserThreepid>, ServiceError> {
        Ok(self.users.user_threepids(requester.user_id.as_str()).await?)
    }

    /// Adds an address that was proved, once the caller has confirmed that with their password.
    ///
    /// # Errors
    /// M_BAD_JSON, M_THREEPID_AUTH_FAILED without a proof, M_THREEPID_IN_USE.
    pub(crate) async fn add_threepid(&self, requester: &Requester, body: &Map<String, Value>) -> Result<Uia<()>, ServiceError> {
        let wish = || {
            let wish = Credentials::deserialize(Value::Object(body.clone()));
            wish.map_err(|error| ServiceError::bad_json(error.to_string()))
        };
        // Clients ask for the flows with an empty body.
        if body.contains_key("auth") {
            wish()?;
        }
        let visitor = &requester.visitor;
        self.confirmed(requester, "POST /_matrix/client/v3/account/3pid/add", body, |proof| async move {
            let Credentials { sid, client_secret } = wish()?;
            self.validations.proved(visitor.server_name(), Purpose::Add, &sid, &client_secret, &proof.session).await?;
            self.with_validation(visitor, Purpose::Add, &sid, &proof.session, |proved| async move {
                self.claim_threepid(visitor, proof.request_id, requester.user_id.as_str(), "", &proved).await
            })
            .await
        })
        .await
    }

    /// Takes an identifier from the caller's account. What they do not have is gone already.
    pub(crate) async fn delete_threepid(&self, requester: &Requester, threepid: &Threepid) -> Result<(), ServiceError> {
        let Some(address) = threepid.canonical() else { return Ok(()) };
        let caller = requester.visitor.about_user(requester.user_id.as_str());
        self.release_threepid(caller, threepid.medium.clone(), address).await
    }

    /// Whose account an identifier opens; nobody's name where it opens none, so that asking takes the same way.
    pub(crate) async fn user_of_threepid(&self, visitor: &Visitor, threepid: &Threepid) -> Result<String, ServiceError> {
        // A localpart that nobody has: the owner of that name counts the tries.
        let nobody =
            || -> String { TokenHash::of(&threepid.address).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect() };
        let Some(address) = threepid.canonical() else { return Ok(nobody()) };
        let owner = self.users.threepid_owner(visitor.server_name(), &threepid.medium, &address).await?;
        Ok(owner.unwrap_or_else(nobody))
    }

    /// Does `work` with a proof that is used up by it. If `work` certainly did nothing, the proof can be used again.
    ///
    /// # Errors
    /// M_THREEPID_AUTH_FAILED if it was used already; or what `work` answers.
    pub(super) async fn with_validation<T, F, Fut>(
        &self,
        visitor: &Visitor,
        purpose: Purpose,
        sid: &str,
        by: &str,
        work: F,
    ) -> Result<T, ServiceError>
    where
        F: FnOnce(Proved) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        let tenant = visitor.server_name();
        let proved = self.validations.take(tenant, purpose, sid, by).await?;
        let outcome = work(proved).await;
        if outcome.as_ref().is_err_and(|error| !matches!(error.code, ErrorCode::Unknown | ErrorCode::Unavailable)) {
            self.validations.give_back(tenant, sid, by).await?;
        }
        outcome
    }

    /// Has the owner of an address give it to a user, or (without one) hold it for a registration's session.
    pub(super) async fn claim_threepid(
        &self,
        visitor: &Visitor,
        request_id: RequestId,
        user_id: &str,
        session: &str,
        proved: &Proved,
    ) -> Result<(), ServiceError> {
        let request_id = request_id.to_bytes().to_vec().into();
        let request = ClaimThreepidRequest {
            caller: Some(Caller { request_id, ..visitor.about_user(user_id) }),
            medium: threepid::EMAIL.to_owned(),
            address: proved.address.clone(),
            validated: proved.validated,
            session: session.to_owned(),
        };
        let name = threepid::owner_name(visitor.server_name(), threepid::EMAIL, &proved.address);
        let call = |mut client: UserClient, request| async move { client.claim_threepid(request).await };
        self.commands.user(&name, request, call).await.map(|_| ())
    }

    /// Has the owner of an address take it from the caller of the command.
    pub(super) async fn release_threepid(&self, caller: Caller, medium: String, address: String) -> Result<(), ServiceError> {
        let name = threepid::owner_name(&caller.tenant, &medium, &address);
        let request = ReleaseThreepidRequest { caller: Some(caller), medium, address };
        let call = |mut client: UserClient, request| async move { client.release_threepid(request).await };
        self.commands.user(&name, request, call).await.map(|_| ())
    }
}
