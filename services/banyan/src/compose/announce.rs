//! Tells the person who started the process where it listens and what to do next.

use std::{io::Write as _, time::Duration};

use banyan_runtime::{Context, Health, Stage};
use banyan_tenants::TenantConfig;

use super::roles::PublicAddresses;
use crate::config::Config;

/// Prints once, as soon as the process is ready.
pub(super) fn when_ready(context: &Context, addresses: PublicAddresses, config: &Config) {
    let text = text(addresses, config);
    let (health, stopping) = (context.health.clone(), context.shutdown.stopping(Stage::Background));
    context.shutdown.spawn(Stage::Background, "announce", async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = ready(&health) => {
                // Whoever closed standard output does not want to know.
                let _ = std::io::stdout().write_all(text.as_bytes());
            }
        }
    });
}

async fn ready(health: &Health) {
    while !health.report().ready {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn text(addresses: PublicAddresses, config: &Config) -> String {
    let names: Vec<&str> = config.tenants.iter().map(|tenant| tenant.server_name.as_str()).collect();
    let mut text = format!("Banyan {} is ready for {}.\n", env!("CARGO_PKG_VERSION"), names.join(", "));
    if let Some(federation) = addresses.federation {
        let scheme = if config.http.federation.tls_certificate_file.is_none() { "http" } else { "https" };
        text.push_str(&format!("  server-server API: {scheme}://{federation}\n"));
    }
    if let Some(client) = addresses.client {
        let base = format!("http://{client}");
        text.push_str(&format!("  client-server API: {base}  (point any Matrix client at this address)\n"));
        text.push_str(&first_account(&base, &config.tenants));
    }
    text
}

/// How to make an account, if there is a tenant where anyone may.
fn first_account(base: &str, tenants: &[TenantConfig]) -> String {
    let Some(open) = tenants.iter().find(|tenant| tenant.registration.open) else {
        if tenants.iter().any(|tenant| tenant.registration.shared_secret_file.is_some()) {
            return "To make the first account: banyan user create NAME --admin (with the same configuration)\n".to_owned();
        }
        return "  registration is closed: allow it in tenants.registration to make the first account\n".to_owned();
    };
    let host = if open.hosts.iter().any(|host| host == "*") { String::new() } else { format!(" -H 'Host: {}'", open.server_name) };
    format!(
        "To make the first account, register in a client, or:\n  curl{host} {base}/_matrix/client/v3/register -d '{{\"username\":\"alice\",\
         \"password\":\"CHANGE ME\",\"auth\":{{\"type\":\"m.login.dummy\"}}}}'\nIts user id will be @alice:{}.\n",
        open.server_name
    )
}
