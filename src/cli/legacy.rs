//! The name and the redirect port that mcp-remote 0.15 derives from its arguments.
//!
//! By the name its stored sign-in is found, and authorization servers that know
//! `http://localhost:<port>/…` go on accepting the redirect.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use md5::{Digest, Md5};

/// What mcp-remote names a sign-in by; absent parts are left out.
#[derive(Default)]
pub(super) struct Identity<'a> {
    /// The server as typed.
    pub(super) server: &'a str,
    pub(super) resource: Option<&'a str>,
    /// `--authorize-param`, in order.
    pub(super) authorize_params: Vec<(&'a str, &'a str)>,
    /// Names and values before expansion, in order.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) client_metadata_url: Option<&'a str>,
    /// As the URL parser writes it.
    pub(super) token_endpoint: Option<String>,
}

impl Identity<'_> {
    /// The port that mcp-remote tries first.
    pub(super) fn port(&self) -> u16 {
        let [high, low, ..] = self.hash();
        FIRST_PORT + u16::from_be_bytes([high, low]) % N_PORTS
    }

    /// What the names of its files begin with.
    pub(super) fn name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.hash()))
    }

    fn hash(&self) -> [u8; 16] {
        let parts = [
            Some(self.server.to_owned()),
            self.resource.map(str::to_owned),
            object(&self.authorize_params),
            object(&self.headers),
            self.client_metadata_url.map(str::to_owned),
            self.token_endpoint.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Md5::digest(parts.join("|")).into()
    }
}

/// `JSON.stringify` with sorted keys, the last of equal keys; `None` without any.
fn object(members: &[(&str, &str)]) -> Option<String> {
    let members: BTreeMap<Key<'_>, &str> =
        members.iter().map(|&(key, value)| (Key(key), value)).collect();
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{}", quoted(key.0), quoted(value))).collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

/// JSON's escapes are the same in both languages.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JavaScript sorts strings by their UTF-16 units.
#[derive(PartialEq, Eq)]
struct Key<'a>(&'a str);

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The lowest derived port.
const FIRST_PORT: u16 = 3335;
/// How many there are: up to 49150, below the ephemeral range.
const N_PORTS: u16 = 45816;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(identity: &Identity<'_>, hash: &str, port: u16) {
        assert_eq!((identity.name().as_str(), identity.port()), (hash, port));
    }

    #[test]
    fn hashes_and_ports_are_those_of_mcp_remote() {
        let acme = "https://mcp.apexmcp.ai/mcp/acme/sse";
        check(
            &Identity { server: acme, ..Identity::default() },
            "7c40b16920fc9be3091a24a4205d3975",
            35143,
        );
        let headers = vec![("X-API-Key", "${APEX_KEY}")];
        check(
            &Identity { server: acme, headers, ..Identity::default() },
            "b642e0e3818011c7c4f8667d193ee925",
            4177,
        );
        check(
            &Identity {
                server: "https://mcp.atlassian.com/v1/sse",
                resource: Some("https://tenant1.atlassian.net/"),
                ..Identity::default()
            },
            "224d1023ed8b747f99479d42f28f0bb6",
            12116,
        );
        check(
            &Identity {
                server: "https://a.example/mcp",
                authorize_params: vec![("prompt", "consent"), ("access_type", "offline")],
                headers: vec![("b", "2"), ("A", "1")],
                ..Identity::default()
            },
            "c4f41ecb41e913cb80d5a27ad497306c",
            u16::from_be_bytes([0xc4, 0xf4]) % 45816 + 3335,
        );
    }
}
