//! Where the caller's clients want to be told of notifications.

use banyan_core::ServiceError;
use banyan_proto::{
    users::Pusher,
    userserver::{NewPusher, SetPusherRequest, SetPusherResponse},
};
use banyan_users::{PusherKey, pusher, user_id};

use super::{App, Requester};
use crate::calls::UserClient;

impl App {
    /// The caller's pushers.
    pub(crate) async fn pushers(&self, requester: &Requester) -> Result<Vec<(PusherKey, Pusher)>, ServiceError> {
        Ok(self.users.pushers(requester.user_id.as_str()).await?)
    }

    /// Sets a pusher of the caller, or removes it. Unless it is `beside` those of other users with the same key, these go, if they were
    /// set before.
    ///
    /// # Errors
    /// What [`pusher::check`] says at the owner, M_TOO_LARGE for too many, and what the owners answer.
    pub(crate) async fn set_pusher(
        &self,
        requester: &Requester,
        key: PusherKey,
        wanted: Option<NewPusher>,
        beside: bool,
    ) -> Result<(), ServiceError> {
        pusher::check_key(&key)?;
        let alone = wanted.is_some() && !beside;
        let PusherKey { app_id, pushkey } = key.clone();
        let request = SetPusherRequest { caller: Some(requester.to_users()), app_id, pushkey, pusher: wanted, before: 0 };
        let SetPusherResponse { at } = self.send_pusher(requester.user_id.as_str(), request).await?;
        if alone { self.remove_older(requester, &key, at).await } else { Ok(()) }
    }

    /// Removes what other users of the server set under a key before a time: a device has changed hands.
    async fn remove_older(&self, requester: &Requester, key: &PusherKey, before: i64) -> Result<(), ServiceError> {
        let server_name = requester.visitor.server_name();
        let others = self.users.users_with_pusher(key).await?.into_iter();
        let others = others.filter(|(user, at)| *at < before && user != requester.user_id.as_str());
        for (user, _) in others.filter(|(user, _)| user_id::server_name(user) == Some(server_name)) {
            let PusherKey { app_id, pushkey } = key.clone();
            let caller = Some(requester.visitor.about_user(&user));
            self.send_pusher(&user, SetPusherRequest { caller, app_id, pushkey, pusher: None, before }).await?;
        }
        Ok(())
    }

    async fn send_pusher(&self, user: &str, request: SetPusherRequest) -> Result<SetPusherResponse, ServiceError> {
        let call = |mut client: UserClient, request| async move { client.set_pusher(request).await };
        self.commands.user(user, request, call).await
    }
}
