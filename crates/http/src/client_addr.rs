//! The address a request really came from, past proxies that are trusted.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The other end of the connection, put into a request's extensions by the listener.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub SocketAddr);

/// Where the request came from, put into its extensions by the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

/// A network in CIDR notation (`10.0.0.0/8`, `::1/128`) or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text was no network.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not a network: {0:?} (expected an address, or address/bits such as 10.0.0.0/8)")]
pub struct ParseNetworkError(String);

impl Network {
    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                u64::from(u32::from(network)) >> shift == u64::from(u32::from(address)) >> shift
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                self.bits == 0
                    || u128::from(network) >> (128 - u32::from(self.bits)) == u128::from(address) >> (128 - u32::from(self.bits))
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseNetworkError(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| error()))?;
        if bits > most { Err(error()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = ParseNetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// The client behind `peer`: from the right of `X-Forwarded-For`, the first address that is no trusted proxy; only trusted proxies are
/// believed at all.
#[must_use]
pub fn client_addr(peer: Option<PeerAddr>, headers: &HeaderMap, trusted: &[Network]) -> ClientAddr {
    let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |PeerAddr(peer)| peer.ip().to_canonical());
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().flat_map(|value| value.split(',')).rev() {
        if !is_trusted(address) {
            break;
        }
        let Ok(hop) = parse_hop(hop) else { break };
        address = hop;
    }
    ClientAddr(address)
}

/// An element of `X-Forwarded-For`, which may carry a port.
fn parse_hop(hop: &str) -> Result<IpAddr, std::net::AddrParseError> {
    let hop = hop.trim();
    if let Ok(address) = hop.parse::<SocketAddr>() {
        return Ok(address.ip().to_canonical());
    }
    hop.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_static(value));
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_addr(Some(PeerAddr(peer.parse().unwrap())), &headers, &trusted).0.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("1.2.3.4:5", &["9.9.9.9"], &[]), "1.2.3.4");
        assert_eq!(client("10.0.0.1:5", &["9.9.9.9"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client("10.0.0.1:5", &["6.6.6.6, 9.9.9.9, 10.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client("10.0.0.1:5", &["6.6.6.6", "9.9.9.9:1234"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client("[::1]:5", &["2001:db8::1"], &["::1"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1:5", &["what"], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_and_compared() {
        let network: Network = "192.168.0.0/16".parse().unwrap();
        assert!(network.contains("192.168.7.7".parse().unwrap()));
        assert!(network.contains("::ffff:192.168.7.7".parse().unwrap()));
        assert!(!network.contains("192.169.0.0".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().contains("::8".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("ten".parse::<Network>().is_err());
    }
}
