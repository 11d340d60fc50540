//! Pushers as rows.

use banyan_core::TimestampMicros;
use banyan_log::DerivedRow;
use banyan_proto::users::{Pusher, PusherChanged, PusherOfKeyRow};
use banyan_store::key;

use super::{delete, put};
use crate::tables::{PUSHER, PUSHER_OF_KEY};

pub(super) fn changed(user_id: &str, changed: PusherChanged, at: TimestampMicros) -> Vec<DerivedRow> {
    let PusherChanged { app_id, pushkey, pusher } = changed;
    let (of_user, of_key) = (key![app_id.as_str(), pushkey.as_str()], key![app_id.as_str(), pushkey.as_str()]);
    match pusher {
        Some(pusher) => vec![
            put(&PUSHER, key![user_id], of_user, &Pusher { at: at.0, ..pusher }),
            put(&PUSHER_OF_KEY, of_key, key![user_id], &PusherOfKeyRow { at: at.0 }),
        ],
        None => vec![delete(&PUSHER, key![user_id], of_user), delete(&PUSHER_OF_KEY, of_key, key![user_id])],
    }
}
