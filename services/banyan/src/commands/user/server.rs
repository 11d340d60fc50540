//! The running homeserver that a command talks to.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use banyan_tenants::TenantConfig;
use clap::Args;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::super::ConfigSource;
use crate::config::Config;

/// Long enough for a server that is busy hashing passwords.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
pub(super) struct Server {
    #[command(flatten)]
    source: ConfigSource,
    /// The server name. Needed where the configuration has several.
    #[arg(long, value_name = "SERVER_NAME")]
    tenant: Option<String>,
    /// Where the client-server API listens, plain HTTP. Default: `http.client.listen` of the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// One tenant of it.
pub(super) struct Target {
    pub(super) tenant: TenantConfig,
    base: String,
    http: Client,
}

impl Server {
    /// Reads the configuration and picks the tenant.
    pub(super) fn target(&self) -> Result<Target, Box<dyn Error>> {
        let config = Config::read(self.source.config.as_deref())?;
        let base = self.url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        let base = base.unwrap_or_else(|| format!("http://{}", reachable(config.http.client.listen)));
        let tenant = pick(config.tenants, self.tenant.as_deref())?;
        // The server is right here, whatever proxy leads elsewhere.
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Target { tenant, base, http })
    }
}

fn pick(mut tenants: Vec<TenantConfig>, name: Option<&str>) -> Result<TenantConfig, String> {
    let names: Vec<String> = tenants.iter().map(|tenant| tenant.server_name.clone()).collect();
    match name {
        Some(name) => {
            let found = tenants.into_iter().find(|tenant| tenant.server_name.as_str() == name);
            found.ok_or_else(|| format!("there is no tenant {name}; there are: {}", names.join(", ")))
        }
        None if tenants.len() == 1 => tenants.pop().ok_or_else(|| "there is no tenant".to_owned()),
        None => Err(format!("which server name? Give --tenant with one of: {}", names.join(", "))),
    }
}

/// An address to connect to, for one to listen at.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

impl Target {
    pub(super) async fn get(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value, Box<dyn Error>> {
        let mut request = self.http.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        self.send(request).await
    }

    /// The JSON answer; the server's own words where it refuses.
    async fn send(&self, request: RequestBuilder) -> Result<Value, Box<dyn Error>> {
        let answer = request.header("Host", self.tenant.server_name.as_str()).send().await;
        let answer = answer.map_err(|error| format!("no answer from {}; is the homeserver running? ({error})", self.base))?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let said = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Err(format!("{} {}: {}", status.as_u16(), said("errcode"), said("error")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_tenant_is_picked_and_of_several_the_named_one() {
        let tenants = |names: &[&str]| names.iter().map(|name| TenantConfig::new(*name)).collect::<Vec<_>>();
        let picked = |names: &[&str], name| pick(tenants(names), name).map(|tenant| tenant.server_name);
        assert_eq!(picked(&["one.test"], None).as_deref(), Ok("one.test"));
        assert_eq!(picked(&["one.test", "two.test"], Some("two.test")).as_deref(), Ok("two.test"));
        assert!(picked(&["one.test", "two.test"], None).unwrap_err().contains("one.test, two.test"));
        assert!(picked(&["one.test"], Some("two.test")).unwrap_err().contains("no tenant two.test"));
    }

    #[test]
    fn one_connects_to_no_unspecified_address() {
        let of = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:8008"), "127.0.0.1:8008");
        assert_eq!(of("[::]:8008"), "[::1]:8008");
        assert_eq!(of("192.0.2.7:80"), "192.0.2.7:80");
    }
}
