//! The use cases: plain values in, plain values out.

pub(crate) mod account_data;
pub(crate) mod aliases;
pub(crate) mod auth;
pub(crate) mod bundles;
pub(crate) mod caller;
pub(crate) mod capabilities;
pub(crate) mod carry_over;
pub(crate) mod claim_keys;
pub(crate) mod context;
pub(crate) mod create_room;
pub(crate) mod deactivate;
pub(crate) mod dehydrated_device;
pub(crate) mod delayed_events;
pub(crate) mod devices;
pub(crate) mod directory;
pub(crate) mod email;
pub(crate) mod event_filter;
pub(crate) mod event_stream;
pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod found_rooms;
pub(crate) mod hierarchy;
pub(crate) mod ignored;
pub(crate) mod initial_sync;
pub(crate) mod key_changes;
pub(crate) mod limits;
pub(crate) mod login;
pub(crate) mod login_token;
pub(crate) mod logout;
pub(crate) mod members;
pub(crate) mod membership;
pub(crate) mod messages;
pub(crate) mod moderation;
pub(crate) mod mutual_rooms;
pub(crate) mod notifications;
pub(crate) mod oauth;
pub(crate) mod password;
pub(crate) mod peek;
pub(crate) mod profile;
pub(crate) mod push_rules;
pub(crate) mod pushers;
pub(crate) mod query_keys;
pub(crate) mod receipts;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod register_by_secret;
pub(crate) mod relations;
pub(crate) mod reports;
pub(crate) mod room_keys;
pub(crate) mod seen;
pub(crate) mod send;
pub(crate) mod sliding_sync;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod tags;
pub(crate) mod third_party_invite;
pub(crate) mod threads;
pub(crate) mod threepids;
pub(crate) mod timestamp;
pub(crate) mod to_device;
pub(crate) mod token_cache;
pub(crate) mod typing;
pub(crate) mod uia;
pub(crate) mod upgrade;
pub(crate) mod upload_keys;
pub(crate) mod user_search;

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use banyan_core::{Clock, Entropy, ServiceError, ShardCount};
use banyan_http::Outbound;
use banyan_mail::Outbox;
use banyan_rooms::reader::RoomReader;
use banyan_runtime::{Context, Shutdown};
use banyan_tenants::Tenants;
use banyan_users::{
    Allowances, BrowserSessions, ExternalIds, OauthApprovals, OauthClients, OauthCodes, OauthDevices, SharedSecretRegistration,
    ShortTokens, SsoFlows, UiaSessions, UserReader, ValidationSessions,
};
use ruma::{OwnedRoomId, RoomId};

pub(crate) use self::caller::Requester;
use self::{limits::Limits, seen::Seen, token_cache::TokenCache};
use crate::{
    BindError,
    calls::{Commands, Syncs},
    config::ClientApiConfig,
};

/// What the use cases work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The longest that a server outside may take to answer.
const OUTBOUND_TIMEOUT: Duration = Duration::from_secs(10);

/// The parts of [`App`].
pub(crate) struct Parts {
    pub(crate) config: ClientApiConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shards: ShardCount,
    pub(crate) tenants: Tenants,
    pub(crate) rooms: RoomReader,
    pub(crate) users: UserReader,
    pub(crate) uia: UiaSessions,
    pub(crate) login_tokens: ShortTokens,
    pub(crate) openid_tokens: ShortTokens,
    pub(crate) browser_sessions: BrowserSessions,
    pub(crate) oauth_clients: OauthClients,
    pub(crate) oauth_codes: OauthCodes,
    pub(crate) oauth_devices: OauthDevices,
    pub(crate) oauth_approvals: OauthApprovals,
    pub(crate) sso_flows: SsoFlows,
    pub(crate) external_ids: ExternalIds,
    pub(crate) shared_secret: SharedSecretRegistration,
    pub(crate) validations: ValidationSessions,
    pub(crate) allowances: Allowances,
    pub(crate) outbox: Outbox,
    /// To servers that are no homeservers.
    pub(crate) outbound: Outbound,
    pub(crate) commands: Commands,
    pub(crate) syncs: Syncs,
    pub(crate) tokens: TokenCache,
    pub(crate) limits: Limits,
    pub(crate) seen: Seen,
    pub(crate) shutdown: Shutdown,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// # Errors
    /// A tenant's mails cannot be sent as it is configured, or TLS cannot be set up.
    pub(crate) fn new(context: &Context, tenants: Tenants, config: ClientApiConfig) -> Result<Self, BindError> {
        let Context { clock, entropy, store, shards, router, shutdown, .. } = context;
        let outbox = Outbox::new(&tenants, clock.clone(), entropy.clone())?;
        Ok(Self(Arc::new(Parts {
            clock: clock.clone(),
            entropy: entropy.clone(),
            shards: *shards,
            rooms: RoomReader::new(store.clone(), config.state_cache_bytes),
            users: UserReader::new(store.clone()),
            uia: UiaSessions::new(store.clone(), clock.clone(), entropy.clone(), UiaSessions::LIFETIME),
            login_tokens: ShortTokens::for_login(store.clone(), clock.clone(), entropy.clone()),
            openid_tokens: ShortTokens::for_openid(store.clone(), clock.clone(), entropy.clone()),
            browser_sessions: BrowserSessions::new(store.clone(), clock.clone(), entropy.clone()),
            oauth_clients: OauthClients::new(store.clone(), clock.clone()),
            oauth_codes: OauthCodes::new(store.clone(), clock.clone(), entropy.clone()),
            oauth_devices: OauthDevices::new(store.clone(), clock.clone(), entropy.clone()),
            oauth_approvals: OauthApprovals::new(store.clone(), clock.clone()),
            sso_flows: SsoFlows::new(store.clone(), clock.clone(), entropy.clone()),
            external_ids: ExternalIds::new(store.clone()),
            shared_secret: SharedSecretRegistration::new(store.clone(), clock.clone(), entropy.clone()),
            validations: ValidationSessions::new(store.clone(), clock.clone(), entropy.clone()),
            allowances: Allowances::new(store.clone(), clock.clone()),
            outbox,
            outbound: Outbound::new(OUTBOUND_TIMEOUT)?,
            commands: Commands::new(router.clone(), *shards),
            syncs: Syncs::new(router.clone()),
            tokens: TokenCache::new(*shards, config.token_cache),
            limits: Limits::new(&tenants, config.rate_limited_callers, clock),
            seen: Seen::new(),
            shutdown: shutdown.clone(),
            tenants,
            config,
        })))
    }

    /// The room of a name that a client gave: an id, or an alias of this installation.
    pub(crate) async fn room_of(&self, id_or_alias: &str) -> Result<OwnedRoomId, ServiceError> {
        if id_or_alias.starts_with('#') {
            return Ok(self.resolve_alias(id_or_alias).await?.room_id);
        }
        RoomId::parse(id_or_alias).map_err(|_| ServiceError::invalid_param("Neither a room id nor a room alias"))
    }
}
