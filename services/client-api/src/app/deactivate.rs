//! Ending an account for good.
//!
//! The owner of the user decides it and notes, in the same group of entries, that rooms are to be left. Leaving them is a command to the
//! owner of each room, given from here, and only then the note goes. If this process ends before that, another one that looks through the
//! notes goes on: to leave a room that was left already changes nothing.

use std::time::Duration;

use banyan_core::{ErrorCode, RequestId, ServiceError, ShardId};
use banyan_proto::{
    roomserver::{self, ChangeMembershipRequest, change_membership_request::Action},
    userserver::{self, DeactivateRequest, FinishDepartureRequest},
};
use banyan_runtime::{Context, Stage};
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{App, Requester, uia::Uia};

/// What a client asks for beside its proof.
#[derive(Deserialize)]
struct Deactivation {
    #[serde(default)]
    erase: bool,
}

impl App {
    /// Deactivates the caller once they have confirmed it. Their rooms are left soon after.
    ///
    /// # Errors
    /// M_BAD_JSON; or what the owner answers.
    pub(crate) async fn deactivate(&self, requester: &Requester, body: &Map<String, Value>) -> Result<Uia<()>, ServiceError> {
        let wish = Deactivation::deserialize(Value::Object(body.clone()));
        let wish = wish.map_err(|error| ServiceError::bad_json(error.to_string()))?;
        self.confirmed(requester, "POST /_matrix/client/v3/account/deactivate", body, |proof| async move {
            self.deactivate_now(requester, proof.request_id, wish.erase).await
        })
        .await
    }

    /// Deactivates somebody who has confirmed it.
    ///
    /// # Errors
    /// What the owner answers.
    pub(crate) async fn deactivate_now(
        &self,
        requester: &Requester,
        request_id: RequestId,
        erase: bool,
    ) -> Result<(), ServiceError> {
        let mut caller = requester.to_users();
        caller.request_id = request_id.to_bytes().to_vec().into();
        let request = DeactivateRequest { caller: Some(caller), erase };
        let call = |mut client: crate::calls::UserClient, request| async move { client.deactivate(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await?;
        self.tokens.revoke_user(requester.user_id.as_str());
        let (app, user_id, tenant) = (self.clone(), requester.user_id.clone(), requester.visitor.server_name().to_owned());
        let stop = self.shutdown.stopping(Stage::Listeners);
        self.shutdown.spawn(Stage::Listeners, "departure", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = app.depart_or_say(&tenant, &user_id) => {}
            }
        });
        Ok(())
    }

    /// Goes on, now and then, with departures that a process did not finish, until the listeners stop.
    pub(crate) fn resume_departures(&self, context: &Context) {
        let (app, stop) = (self.clone(), context.shutdown.stopping(Stage::Listeners));
        context.shutdown.spawn(Stage::Listeners, "departures", async move {
            let interval = Duration::from_millis(app.config.resume_interval_ms);
            let resume = async {
                loop {
                    tokio::time::sleep(interval).await;
                    for shard in app.shards.shards() {
                        app.resume_shard(shard, interval).await;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = resume => {}
            }
        });
    }

    /// The departures of one user shard that are older than `age`: younger ones may be under way.
    async fn resume_shard(&self, shard: ShardId, age: Duration) {
        let departures = match self.users.departures(shard).await {
            Ok(departures) => departures,
            Err(error) => return tracing::warn!(%shard, %error, "departures cannot be read; they are looked for again later"),
        };
        let young = self.clock.now().0 - i64::try_from(age.as_micros()).unwrap_or(i64::MAX / 2);
        for (user_id, departure) in departures.into_iter().filter(|(_, departure)| departure.since <= young) {
            match UserId::parse(&user_id) {
                Ok(user_id) => self.depart_or_say(&departure.tenant, &user_id).await,
                Err(error) => tracing::error!(user_id, %error, "a departure of nobody"),
            }
        }
    }

    async fn depart_or_say(&self, tenant: &str, user_id: &UserId) {
        if let Err(error) = self.depart(tenant, user_id).await {
            tracing::warn!(%user_id, %error, "a deactivated user has not left all rooms yet; this is tried again");
        }
    }

    /// Leaves every room of a deactivated user, gives up their addresses, and says that this is done.
    async fn depart(&self, tenant: &str, user_id: &UserId) -> Result<(), ServiceError> {
        for (room_id, row) in self.rooms.memberships(user_id).await? {
            if !matches!(row.membership.as_str(), "join" | "invite" | "knock") {
                continue;
            }
            let caller = roomserver::Caller {
                tenant: tenant.to_owned(),
                user_id: user_id.to_string(),
                request_id: self.new_request_id(),
                ..roomserver::Caller::default()
            };
            let request = ChangeMembershipRequest {
                caller: Some(caller),
                room_id: room_id.to_string(),
                target: user_id.to_string(),
                action: Action::Leave.into(),
                ..ChangeMembershipRequest::default()
            };
            match self.change_membership_at_owner(request).await {
                // The room has another idea of it: there is nothing to leave.
                Err(error) if matches!(error.code, ErrorCode::Forbidden | ErrorCode::NotFound) => {
                    tracing::info!(%user_id, %room_id, %error, "a deactivated user cannot leave a room");
                }
                outcome => drop(outcome?),
            }
        }
        let caller = || userserver::Caller {
            tenant: tenant.to_owned(),
            user_id: user_id.to_string(),
            device_id: String::new(),
            request_id: self.new_request_id(),
        };
        // Nobody finds the user by them any more, and others may have them: what goes here is the list.
        for threepid in self.users.user_threepids(user_id.as_str()).await? {
            self.release_threepid(caller(), threepid.medium, threepid.address).await?;
        }
        let call = |mut client: crate::calls::UserClient, request| async move { client.finish_departure(request).await };
        self.commands.user(user_id.as_str(), FinishDepartureRequest { caller: Some(caller()) }, call).await.map(|_| ())
    }

    fn new_request_id(&self) -> bytes::Bytes {
        RequestId::generate(&*self.clock, &*self.entropy).to_bytes().to_vec().into()
    }
}
