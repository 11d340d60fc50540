//! Host headers: `host`, `host:port`, `[::1]:port`.

use std::collections::HashMap;

use crate::TenantError;

/// Which tenant a Host header picks.
#[derive(Debug, Default)]
pub(crate) struct HostMap {
    /// As named, lower case.
    exact: HashMap<String, usize>,
    /// Without the port; `None` where several tenants differ only by port.
    bare: HashMap<String, Option<usize>>,
    /// The tenant that named `*`.
    any: Option<usize>,
}

impl HostMap {
    /// Lets `host` pick tenant number `index`, called `tenant`.
    pub(crate) fn add(&mut self, tenant: &str, host: &str, index: usize) -> Result<(), TenantError> {
        if host == "*" {
            if self.any.is_some_and(|other| other != index) {
                return Err(TenantError::config(tenant, "hosts", "another tenant has the host * already"));
            }
            self.any = Some(index);
            return Ok(());
        }
        let host = normalise(host);
        if self.exact.get(&host).is_some_and(|other| *other != index) {
            return Err(TenantError::config(tenant, "hosts", format!("another tenant has the host {host} already")));
        }
        self.exact.insert(host.clone(), index);
        self.bare
            .entry(without_port(&host).to_owned())
            .and_modify(|known| *known = known.filter(|known| *known == index))
            .or_insert(Some(index));
        Ok(())
    }

    /// The tenant that `host` picks: by the whole name, then without the port, then `*`.
    pub(crate) fn find(&self, host: &str) -> Option<usize> {
        let host = normalise(host);
        self.exact
            .get(&host)
            .or_else(|| self.exact.get(without_port(&host)))
            .copied()
            .or_else(|| self.bare.get(without_port(&host)).copied().flatten())
            .or(self.any)
    }
}

/// Lower case, without the dot that ends an absolute DNS name.
fn normalise(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let bare = without_port(&host);
    match bare.strip_suffix('.') {
        Some(stripped) => format!("{stripped}{}", &host[bare.len()..]),
        None => host,
    }
}

/// The name without `:port`; brackets of an IPv6 address stay.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !name.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(hosts: &[(&str, usize)]) -> HostMap {
        let mut map = HostMap::default();
        for (host, index) in hosts {
            map.add("t", host, *index).expect("no conflict");
        }
        map
    }

    #[test]
    fn case_port_and_final_dot_do_not_matter() {
        let map = map(&[("example.org", 0), ("[::1]", 1)]);
        for host in ["example.org", "Example.ORG", "example.org:8448", "example.org.", "EXAMPLE.org.:443"] {
            assert_eq!(map.find(host), Some(0), "{host}");
        }
        for host in ["[::1]", "[::1]:8008"] {
            assert_eq!(map.find(host), Some(1), "{host}");
        }
        for host in ["", "example.org:x", "example.com", "a.example.org", "[::2]:8008", "::1"] {
            assert_eq!(map.find(host), None, "{host}");
        }
    }

    #[test]
    fn names_that_differ_by_port_are_told_apart_by_it() {
        let map = map(&[("localhost:8001", 0), ("localhost:8002", 1), ("other:1", 2)]);
        assert_eq!(map.find("localhost:8001"), Some(0));
        assert_eq!(map.find("localhost:8002"), Some(1));
        assert_eq!(map.find("localhost:8003"), None);
        assert_eq!(map.find("localhost"), None);
        assert_eq!(map.find("other:2"), Some(2));
        assert_eq!(map.find("other"), Some(2));
    }

    #[test]
    fn a_star_takes_what_nobody_names() {
        let map = map(&[("a", 0), ("*", 1)]);
        assert_eq!(map.find("a:1"), Some(0));
        assert_eq!(map.find("b"), Some(1));
    }

    #[test]
    fn two_tenants_cannot_share_a_host() {
        let mut map = map(&[("a", 0), ("*", 0)]);
        assert!(map.add("t", "A", 1).is_err());
        assert!(map.add("t", "*", 1).is_err());
        assert!(map.add("t", "a", 0).is_ok());
    }
}
