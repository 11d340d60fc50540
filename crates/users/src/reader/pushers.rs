//! Reading pushers.

use banyan_proto::users::{Pusher, PusherOfKeyRow};
use banyan_store::{Range, key};

use super::{PAGE, UserReader, decode, text};
use crate::{
    ReadError,
    tables::{PUSHER, PUSHER_OF_KEY},
};

/// What a pusher of a user is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PusherKey {
    /// The application.
    pub app_id: String,
    /// The address of the device, in the application's terms.
    pub pushkey: String,
}

impl UserReader {
    /// A user's pushers, by application and key.
    ///
    /// # Errors
    /// The store's.
    pub async fn pushers(&self, user_id: &str) -> Result<Vec<(PusherKey, Pusher)>, ReadError> {
        let rows = self.scan(&PUSHER, key![user_id], Range::all(PAGE)).await?;
        let read = |row: banyan_store::Row| {
            let key = PusherKey { app_id: text(&PUSHER, &row.clustering, 0)?, pushkey: text(&PUSHER, &row.clustering, 1)? };
            Ok((key, decode(&PUSHER, row.value)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// The users who have a pusher with this key, and when each of them set it (microseconds).
    ///
    /// # Errors
    /// The store's.
    pub async fn users_with_pusher(&self, key: &PusherKey) -> Result<Vec<(String, i64)>, ReadError> {
        let partition = key![key.app_id.as_str(), key.pushkey.as_str()];
        let rows = self.scan(&PUSHER_OF_KEY, partition, Range::all(PAGE)).await?;
        let read = |row: banyan_store::Row| {
            let user_id = text(&PUSHER_OF_KEY, &row.clustering, 0)?;
            Ok((user_id, decode::<PusherOfKeyRow>(&PUSHER_OF_KEY, row.value)?.at))
        };
        rows.into_iter().map(read).collect()
    }
}
