//! Keeps what is reported (specification: Client-Server API, "Reporting Content").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Report, ReportMade, UserEntry, user_entry::Kind},
    userserver::{ReportRequest, ReportResponse},
};
use banyan_users::report;

use super::command::{Command, malformed};
use crate::host::Inner;

/// Numbers a report and keeps it; one that is repeated is kept once. What may be reported was decided at the edge.
pub(crate) async fn report(inner: &Inner, request: ReportRequest) -> Result<ReportResponse, ServiceError> {
    let ReportRequest { caller, room_id, event_id, user_id, reason } = request;
    let command = Command::of_tenant(inner, caller)?;
    report::check_reason(&reason)?;
    if [&room_id, &event_id, &user_id].iter().any(|id| id.len() > report::MAX_ID) {
        return Err(malformed("an id that is too long"));
    }
    let tenant = command.tenant_name();
    let name = report::owner_name(tenant);
    let shard = inner.shard_of(&name)?;
    let mut turn = shard.turn(&name, tenant, command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(ReportResponse {});
    }
    let number = inner.shared.reader.newest_report(tenant).await? + 1;
    let received = inner.shared.clock.now().0;
    let report = Report { received, reporter: command.user_id.clone(), room_id, event_id, user_id, reason, ..Report::default() };
    tracing::info!(tenant, number, "a report came");
    let made = ReportMade { tenant: tenant.to_owned(), number, report: Some(report) };
    turn.commit(vec![UserEntry { user_id: String::new(), kind: Some(Kind::ReportMade(made)) }]).await?;
    Ok(ReportResponse {})
}
