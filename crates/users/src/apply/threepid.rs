//! Third-party identifiers as rows.

use banyan_log::DerivedRow;
use banyan_proto::users::{ThreepidChanged, UserThreepidRow};
use banyan_store::key;

use super::{delete, put};
use crate::tables::{THREEPID, USER_THREEPID};

pub(super) fn changed(changed: ThreepidChanged) -> Vec<DerivedRow> {
    let ThreepidChanged { tenant, medium, address, row, lost_by } = changed;
    let of_user = || key![medium.as_str(), address.as_str()];
    let partition = key![tenant, medium.as_str(), address.as_str()];
    let mut rows = Vec::new();
    let owner = row.as_ref().map(|row| row.user_id.clone()).unwrap_or_default();
    if !lost_by.is_empty() && lost_by != owner {
        rows.push(delete(&USER_THREEPID, key![lost_by], of_user()));
    }
    let Some(row) = row else {
        rows.push(delete(&THREEPID, partition, key![]));
        return rows;
    };
    if !owner.is_empty() {
        rows.push(put(&USER_THREEPID, key![owner], of_user(), &UserThreepidRow { validated: row.validated, added: row.added }));
    }
    rows.push(put(&THREEPID, partition, key![], &row));
    rows
}
