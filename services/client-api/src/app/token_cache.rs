//! Access tokens that were looked up, for as long as nothing can have happened to them unseen: a token is believed only while the log
//! of its user's shard is followed without a gap. Bounded; what does not fit is read from the store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use banyan_core::{LogId, ShardCount, ShardId};
use banyan_log::{Entry, FollowError, Logs};
use banyan_proto::users::{AccessToken, UserEntry, user_entry::Kind};
use banyan_runtime::{Context, Stage};
use banyan_users::TokenHash;
use moka::sync::Cache;
use prost::Message as _;

/// How long to wait before a shard is followed again after a failure.
const RETRY: std::time::Duration = std::time::Duration::from_millis(500);

/// Tokens by hash. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TokenCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: Cache<TokenHash, Cached>,
    shards: Vec<Shard>,
    count: ShardCount,
    /// Moves with every revocation that is seen: what was read before it moved is not kept.
    revision: AtomicU64,
}

/// How much is known about a user shard.
#[derive(Debug, Default)]
struct Shard {
    followed: AtomicBool,
    /// Moves when everything that is remembered of the shard must be forgotten.
    generation: AtomicU64,
}

#[derive(Clone, Debug)]
struct Cached {
    token: Arc<AccessToken>,
    generation: u64,
}

/// The state of the cache before a token was read from the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl TokenCache {
    pub(crate) fn new(count: ShardCount, capacity: u64) -> Self {
        let shards = count.shards().map(|_| Shard::default()).collect();
        let tokens = Cache::new(capacity);
        let observed = tokens.clone();
        opentelemetry::global::meter("banyan")
            .u64_observable_gauge("banyan.client_api.token_cache")
            .with_description("Access tokens that are remembered")
            .with_callback(move |observer| observer.observe(observed.entry_count(), &[]))
            .build();
        Self(Arc::new(Inner { tokens, shards, count, revision: AtomicU64::new(0) }))
    }

    /// Follows every user shard until the listeners stop.
    pub(crate) fn start(&self, context: &Context) {
        for shard in self.0.count.shards() {
            let (cache, logs) = (self.clone(), context.logs.clone());
            let stop = context.shutdown.stopping(Stage::Listeners);
            context.shutdown.spawn(Stage::Listeners, "token cache", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = cache.follow(&logs, shard) => {}
                }
            });
        }
    }

    /// A token that is known to be valid, but for its expiry.
    pub(crate) fn get(&self, hash: &TokenHash) -> Option<Arc<AccessToken>> {
        let cached = self.0.tokens.get(hash)?;
        let shard = self.shard(&cached.token.user_id);
        let holds = shard.followed.load(Ordering::SeqCst) && shard.generation.load(Ordering::SeqCst) == cached.generation;
        holds.then_some(cached.token)
    }

    /// To be taken before a token is read from the store.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.0.revision.load(Ordering::SeqCst))
    }

    /// Remembers a token that was read after `ticket`, unless a revocation was seen meanwhile, of whatever token.
    pub(crate) fn put(&self, ticket: Ticket, hash: TokenHash, token: Arc<AccessToken>) {
        let shard = self.shard(&token.user_id);
        let generation = shard.generation.load(Ordering::SeqCst);
        if !shard.followed.load(Ordering::SeqCst) || self.ticket().0 != ticket.0 {
            return;
        }
        self.0.tokens.insert(hash, Cached { token, generation });
        // A revocation between the check and the insertion found nothing to forget.
        if self.ticket().0 != ticket.0 {
            self.0.tokens.invalidate(&hash);
        }
    }

    /// Forgets a token: it was revoked.
    pub(crate) fn revoke(&self, hash: &TokenHash) {
        self.0.revision.fetch_add(1, Ordering::SeqCst);
        self.0.tokens.invalidate(hash);
    }

    /// Forgets all tokens of a user (and of others in the same shard, whom it costs a read).
    pub(crate) fn revoke_user(&self, user_id: &str) {
        self.forget_shard(self.shard(user_id));
    }

    fn forget_shard(&self, shard: &Shard) {
        self.0.revision.fetch_add(1, Ordering::SeqCst);
        shard.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn shard(&self, user_id: &str) -> &Shard {
        &self.0.shards[usize::from(self.0.count.shard_of(user_id).0)]
    }

    /// Follows one shard for ever. After a gap all that was remembered of it is forgotten.
    async fn follow(&self, logs: &Logs, id: ShardId) {
        let shard = &self.0.shards[usize::from(id.0)];
        loop {
            if let Err(error) = self.follow_once(logs, id, shard).await {
                tracing::debug!(shard = %id, %error, "tokens of this shard are read from the store until its log can be followed");
            }
            shard.followed.store(false, Ordering::SeqCst);
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow_once(&self, logs: &Logs, id: ShardId, shard: &Shard) -> Result<(), FollowError> {
        let log = LogId::users(id);
        let (_, end) = logs.extent(log).await.map_err(FollowError::Store)?;
        let mut follower = logs.follow(log, end);
        self.forget_shard(shard);
        shard.followed.store(true, Ordering::SeqCst);
        loop {
            follower.next().await?.entries.iter().for_each(|entry| self.take(entry, shard));
        }
    }

    fn take(&self, entry: &Entry, shard: &Shard) {
        match UserEntry::decode(entry.body.clone()).map(|entry| entry.kind) {
            Ok(Some(Kind::TokensRevoked(revoked))) => {
                revoked.token_hashes.iter().filter_map(|hash| TokenHash::from_slice(hash)).for_each(|hash| self.revoke(&hash));
            }
            Ok(Some(Kind::Account(account))) if !(account.deactivated || account.locked || account.suspended) => {}
            // What ends a session in another way, or cannot be read: better to look again.
            Ok(Some(Kind::Account(_))) | Err(_) => self.forget_shard(shard),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_core::{LogSeq, TimestampMicros};
    use banyan_proto::users::{AccessTokensRevoked, Account};

    use super::*;

    const USER: &str = "@a:example.org";

    fn followed() -> TokenCache {
        let cache = TokenCache::new(ShardCount::DEFAULT, 100);
        cache.shard(USER).followed.store(true, Ordering::SeqCst);
        cache
    }

    fn token() -> (TokenHash, Arc<AccessToken>) {
        (TokenHash::of("t"), Arc::new(AccessToken { user_id: USER.to_owned(), ..AccessToken::default() }))
    }

    fn entry(kind: Kind) -> Entry {
        let body = UserEntry { user_id: USER.to_owned(), kind: Some(kind) }.encode_to_vec().into();
        Entry {
            log: LogId::users(ShardCount::DEFAULT.shard_of(USER)),
            seq: LogSeq(0),
            timestamp: TimestampMicros(0),
            request: None,
            targets: Vec::new(),
            source: None,
            traceparent: String::new(),
            body,
        }
    }

    #[test]
    fn a_token_is_believed_only_while_its_shard_is_followed() {
        let cache = followed();
        let (hash, token) = token();
        cache.put(cache.ticket(), hash, token);
        assert!(cache.get(&hash).is_some());
        cache.shard(USER).followed.store(false, Ordering::SeqCst);
        assert!(cache.get(&hash).is_none());
        // Followed again after a gap: what was remembered is forgotten.
        cache.forget_shard(cache.shard(USER));
        cache.shard(USER).followed.store(true, Ordering::SeqCst);
        assert!(cache.get(&hash).is_none());
    }

    #[test]
    fn a_revocation_in_the_log_forgets_the_token() {
        let cache = followed();
        let (hash, token) = token();
        cache.put(cache.ticket(), hash, token);
        let revoked = AccessTokensRevoked { token_hashes: vec![hash.as_bytes().to_vec().into()], ..AccessTokensRevoked::default() };
        cache.take(&entry(Kind::TokensRevoked(revoked)), cache.shard(USER));
        assert!(cache.get(&hash).is_none());
    }

    #[test]
    fn what_was_read_before_a_revocation_is_not_kept() {
        let cache = followed();
        let (hash, token) = token();
        let ticket = cache.ticket();
        cache.revoke(&hash);
        cache.put(ticket, hash, token);
        assert!(cache.get(&hash).is_none());
    }

    #[test]
    fn a_change_of_the_account_s_standing_forgets_all_tokens_of_the_user() {
        let cache = followed();
        let (hash, token) = token();
        cache.put(cache.ticket(), hash, token.clone());
        cache.take(&entry(Kind::Account(Account::default())), cache.shard(USER));
        assert!(cache.get(&hash).is_some());
        let account = Account::default;
        let ends = [
            Account { deactivated: true, ..account() },
            Account { locked: true, ..account() },
            Account { suspended: true, ..account() },
        ];
        for ended in ends {
            cache.put(cache.ticket(), hash, token.clone());
            assert!(cache.get(&hash).is_some());
            cache.take(&entry(Kind::Account(ended)), cache.shard(USER));
            assert!(cache.get(&hash).is_none());
        }
    }

    #[test]
    fn nothing_is_kept_of_a_shard_that_is_not_followed() {
        let cache = TokenCache::new(ShardCount::DEFAULT, 100);
        let (hash, token) = token();
        cache.put(cache.ticket(), hash, token);
        assert!(cache.0.tokens.get(&hash).is_none());
    }
}
