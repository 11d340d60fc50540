//! Closes what was reported.

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Report, ReportClosed, UserEntry, user_entry::Kind},
    userserver::{CloseReportRequest, CloseReportResponse},
};
use banyan_users::report;

use super::command::Command;
use crate::host::Inner;

/// Notes who is done with a report, and when; of one that is closed already it stays as it is. That it is an administrator was decided at
/// the edge.
pub(crate) async fn close_report(inner: &Inner, request: CloseReportRequest) -> Result<CloseReportResponse, ServiceError> {
    let CloseReportRequest { caller, number } = request;
    let command = Command::of_user(inner, caller)?;
    let tenant = command.tenant_name();
    let name = report::owner_name(tenant);
    let shard = inner.shard_of(&name)?;
    let mut turn = shard.turn(&name, tenant, command.request_id).await?;
    let report = inner.shared.reader.report(tenant, number).await?;
    let report = report.ok_or_else(|| ServiceError::not_found("There is no such report"))?;
    if report.closed != 0 {
        return Ok(CloseReportResponse {});
    }
    let report = Report { closed: inner.shared.clock.now().0, closed_by: command.user_id.clone(), ..report };
    let closed = ReportClosed { tenant: tenant.to_owned(), number, report: Some(report) };
    turn.commit(vec![UserEntry { user_id: String::new(), kind: Some(Kind::ReportClosed(closed)) }]).await?;
    Ok(CloseReportResponse {})
}
