//! Notices in the logs of user shards who has other push rules, or ignores other people.

use std::{sync::Arc, time::Duration};

use banyan_core::{LogId, LogSeq, ShardCount};
use banyan_log::{Entry, FollowError, Logs};
use banyan_proto::users::{UserEntry, user_entry::Kind};
use banyan_users::{IGNORED_USERS, push_rules::ACCOUNT_DATA_TYPE};
use prost::Message as _;
use ruma::OwnedUserId;
use tokio::task::JoinSet;

use super::audience::Audiences;

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Follows all user logs for as long as it is polled.
pub(super) async fn run(logs: Logs, shards: ShardCount, audiences: Arc<Audiences>) {
    let mut tasks = JoinSet::new();
    for shard in shards.shards() {
        tasks.spawn(follow(logs.clone(), LogId::users(shard), audiences.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

async fn follow(logs: Logs, log: LogId, audiences: Arc<Audiences>) {
    let mut at = end(&logs, log).await;
    loop {
        // What was read before this log was followed may be old.
        audiences.forget_all().await;
        let mut follower = logs.follow(log, at);
        at = loop {
            match follower.next().await {
                Ok(batch) => {
                    for user_id in batch.entries.iter().filter_map(changed) {
                        audiences.changed(&user_id).await;
                    }
                }
                Err(FollowError::Gone { first }) => break first,
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%log, %error, "the log cannot be read just now");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
    }
}

async fn end(logs: &Logs, log: LogId) -> LogSeq {
    loop {
        match logs.extent(log).await {
            Ok((_, applied)) => return applied,
            Err(error) => {
                tracing::debug!(%log, %error, "the end of the log cannot be read just now");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Who has other rules after an entry.
fn changed(entry: &Entry) -> Option<OwnedUserId> {
    let entry = UserEntry::decode(entry.body.clone()).ok()?;
    let Some(Kind::AccountData(data)) = entry.kind else { return None };
    let decides = data.room_id.is_empty() && [ACCOUNT_DATA_TYPE, IGNORED_USERS].contains(&data.r#type.as_str());
    decides.then(|| OwnedUserId::try_from(entry.user_id).ok()).flatten()
}
