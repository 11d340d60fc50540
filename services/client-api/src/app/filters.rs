//! Stored filters.

use banyan_core::ServiceError;
use banyan_proto::userserver::PutFilterRequest;
use bytes::Bytes;
use ruma::UserId;

use super::{App, Requester};

impl App {
    /// Stores a filter of the caller's and answers its id.
    ///
    /// # Errors
    /// M_FORBIDDEN for another user, and what the owner answers.
    pub(crate) async fn put_filter(&self, requester: &Requester, user_id: &UserId, filter: Bytes) -> Result<String, ServiceError> {
        requester.must_be(user_id)?;
        let request = PutFilterRequest { caller: Some(requester.to_users()), filter };
        let call = |mut client: crate::calls::UserClient, request| async move { client.put_filter(request).await };
        Ok(self.commands.user(user_id.as_str(), request, call).await?.filter_id)
    }

    /// A stored filter's JSON.
    ///
    /// # Errors
    /// M_FORBIDDEN for another user, M_NOT_FOUND.
    pub(crate) async fn filter(&self, requester: &Requester, user_id: &UserId, filter_id: &str) -> Result<Bytes, ServiceError> {
        requester.must_be(user_id)?;
        let filter = self.users.filter(user_id.as_str(), filter_id).await?;
        filter.ok_or_else(|| ServiceError::not_found("There is no such filter"))
    }
}
