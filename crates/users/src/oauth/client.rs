//! Apps that registered themselves (specification: "Client registration"; RFC 7591).

use std::{sync::Arc, time::Duration};

use banyan_core::{Clock, ServiceError};
use banyan_proto::users::OauthClientRow;
use banyan_store::{Key, Store, key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;

use crate::{conditional::ConditionalRows, tables::OAUTH_CLIENT};

/// The length of an id: 18 bytes in base64.
const ID_LENGTH: usize = 24;

/// Keeps them. One that nobody lets in goes by itself.
#[derive(Clone)]
pub struct OauthClients {
    rows: ConditionalRows,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for OauthClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthClients")
    }
}

impl OauthClients {
    /// How long an app is kept that nobody lets in. One that registers again starts anew once half of it is over.
    pub const UNUSED: Duration = Duration::from_secs(24 * 3600);

    /// Keeps apps in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { rows: ConditionalRows::new(store, &OAUTH_CLIENT), clock }
    }

    /// Registers an app, whose metadata was checked, and answers its id. Equal metadata has one id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn register(&self, metadata: OauthClientRow) -> Result<String, ServiceError> {
        let id = id(&metadata);
        let (partition, now) = (partition(&id), self.clock.now().0);
        let lifetime = i64::try_from(Self::UNUSED.as_micros()).unwrap_or(i64::MAX / 2);
        let row = OauthClientRow { expires: now.saturating_add(lifetime), ..metadata };
        match self.rows.read::<OauthClientRow>(&partition).await? {
            None => drop(self.rows.insert(&partition, &row, Some(Self::UNUSED)).await?),
            Some(stored) if stored.row.expires != 0 && stored.row.expires < now.saturating_add(lifetime / 2) => {
                self.rows.replace(&partition, &stored, &row, Some(Self::UNUSED)).await?;
            }
            Some(_) => {}
        }
        // Whoever came first wrote the same.
        Ok(id)
    }

    /// The app of an id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, tenant: &str, id: &str) -> Result<Option<OauthClientRow>, ServiceError> {
        if id.len() != ID_LENGTH {
            return Ok(None);
        }
        let stored = self.rows.read::<OauthClientRow>(&partition(id)).await?;
        let now = self.clock.now().0;
        let holds = |row: &OauthClientRow| row.tenant == tenant && (row.expires == 0 || row.expires > now);
        Ok(stored.map(|stored| stored.row).filter(holds))
    }

    /// Keeps an app for good: somebody lets it in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keep(&self, id: &str) -> Result<(), ServiceError> {
        let partition = partition(id);
        while let Some(stored) = self.rows.read::<OauthClientRow>(&partition).await?.filter(|stored| stored.row.expires != 0) {
            let kept = OauthClientRow { expires: 0, ..stored.row.clone() };
            if self.rows.replace(&partition, &stored, &kept, None).await? {
                break;
            }
        }
        Ok(())
    }
}

/// The hash of all that an app says of itself, and of the tenant.
fn id(metadata: &OauthClientRow) -> String {
    let metadata = OauthClientRow { expires: 0, ..metadata.clone() };
    URL_SAFE_NO_PAD.encode(&blake3::hash(&metadata.encode_to_vec()).as_bytes()[..18])
}

fn partition(id: &str) -> Key {
    key![id]
}
