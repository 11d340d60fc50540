//! Reports as rows.

use banyan_log::DerivedRow;
use banyan_proto::users::{NewestReport, ReportClosed, ReportMade};
use banyan_store::key;

use super::put;
use crate::{
    report::{bucket, column},
    tables::{NEWEST_REPORT, REPORT},
};

pub(super) fn made(made: ReportMade) -> Result<Vec<DerivedRow>, String> {
    let ReportMade { tenant, number, report } = made;
    let report = report.ok_or("a report without a row")?;
    Ok(vec![
        put(&REPORT, key![tenant.as_str(), bucket(number)], key![column(number)], &report),
        put(&NEWEST_REPORT, key![tenant], key![], &NewestReport { number }),
    ])
}

pub(super) fn closed(closed: ReportClosed) -> Result<DerivedRow, String> {
    let ReportClosed { tenant, number, report } = closed;
    let report = report.ok_or("a report without a row")?;
    Ok(put(&REPORT, key![tenant, bucket(number)], key![column(number)], &report))
}
