//! Reports.

use banyan_proto::users::{NewestReport, Report};
use banyan_store::{Bound, KeyPart, Range, Row, key};

use super::{UserReader, decode};
use crate::{
    ReadError,
    report::{BUCKET, bucket, column},
    tables::{NEWEST_REPORT, REPORT},
};

impl UserReader {
    /// The number of a tenant's last report; 0 if there is none.
    pub async fn newest_report(&self, tenant: &str) -> Result<u64, ReadError> {
        let newest: Option<NewestReport> = self.get(&NEWEST_REPORT, key![tenant], key![]).await?;
        Ok(newest.map_or(0, |newest| newest.number))
    }

    /// A report of a tenant.
    pub async fn report(&self, tenant: &str, number: u64) -> Result<Option<Report>, ReadError> {
        self.get(&REPORT, key![tenant, bucket(number)], key![column(number)]).await
    }

    /// A tenant's reports with their numbers, the newest first, those below `before` where it is given, at most `limit` (up to 1,000).
    pub async fn reports(&self, tenant: &str, before: Option<u64>, limit: usize) -> Result<Vec<(u64, Report)>, ReadError> {
        let end = self.newest_report(tenant).await? + 1;
        let end = before.map_or(end, |before| before.min(end));
        let mut reports = Vec::new();
        for n in (0..=end / BUCKET).rev() {
            let left = limit.saturating_sub(reports.len());
            if left == 0 {
                break;
            }
            let range = Range { from: Bound::Unbounded, to: Bound::Excluded(key![column(end)]), reverse: true, limit: left };
            let page = self.store.scan(&REPORT, &key![tenant, column(n)], range).await?;
            for row in page.rows {
                reports.push((number(&row)?, decode(&REPORT, row.value)?));
            }
        }
        Ok(reports)
    }
}

fn number(row: &Row) -> Result<u64, ReadError> {
    let number = row.clustering.first().and_then(KeyPart::as_int).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| ReadError::Corrupt { table: REPORT.name, problem: "the key has another shape".to_owned() })
}
