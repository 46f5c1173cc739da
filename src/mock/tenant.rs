//! What the dashboard of an organisation shows and changes: keys, clients, lifetimes, limits.
//! Decisions only; time and new secrets are arguments.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::keys::{same_secret, sha256};
use super::network::Network;
use super::plan::Plan;

/// All organisations by slug.
#[derive(Debug, Default)]
pub(crate) struct Tenants(BTreeMap<String, Tenant>);

/// One organisation.
#[derive(Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) keys: Vec<Key>,
    pub(crate) clients: Vec<PortalClient>,
    /// Of refresh tokens that are issued from now on.
    pub(crate) refresh_token_lifetime: Duration,
    /// Who may call; nobody named = everybody.
    pub(crate) allowed: Vec<Network>,
    /// Requests a minute.
    pub(crate) rate_limit: Option<u32>,
    /// When the current minute began, and the requests in it.
    minute: (Duration, u32),
    n_keys: u64,
}

/// An API key, of which only the digest is kept.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What tells it from others: the last characters.
    pub(crate) ending: String,
    pub(crate) made_by: String,
    pub(crate) made: Duration,
    pub(crate) used: Option<Duration>,
    digest: Vec<u8>,
}

/// A client that somebody made in the developer portal.
#[derive(Clone, Debug)]
pub(crate) struct PortalClient {
    pub(crate) client_id: String,
    pub(crate) name: String,
    pub(crate) made: Duration,
    /// Of a machine: its secret. None = an application that people sign in to.
    pub(crate) secret: Option<String>,
}

/// Why an organisation does not answer a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Its address is not on the list.
    Address,
    /// Too many requests; how long until there may be more.
    Rate(Duration),
}

impl Tenants {
    /// The organisations, keys and clients of a plan.
    pub(crate) fn new(plan: &Plan, now: Duration) -> Self {
        let mut all = Self::default();
        for org in &plan.organisations {
            all.0.entry(org.clone()).or_default();
        }
        for it in &plan.api_keys {
            let tenant = all.0.entry(it.org.clone()).or_default();
            tenant.add_key("Default", "the plan", &it.key, now);
        }
        for it in &plan.machine_clients {
            all.0.entry(it.org.clone()).or_default().clients.push(PortalClient {
                client_id: it.client_id.clone(),
                name: "Default machine client".into(),
                made: now,
                secret: Some(it.client_secret.clone()),
            });
        }
        for tenant in all.0.values_mut() {
            tenant.refresh_token_lifetime = plan.refresh_token_lifetime;
            tenant.allowed.clone_from(&plan.allowed_networks);
            tenant.rate_limit = plan.rate_limit;
        }
        all
    }

    /// One organisation.
    pub(crate) fn get(&self, org: &str) -> Option<&Tenant> {
        self.0.get(org)
    }

    /// One organisation, to change it.
    pub(crate) fn get_mut(&mut self, org: &str) -> Option<&mut Tenant> {
        self.0.get_mut(org)
    }

    /// The organisation and the name of an API key that is in force; notes that it was used.
    pub(crate) fn use_key(&mut self, key: &str, now: Duration) -> Option<(String, String)> {
        let digest = sha256(key.as_bytes());
        self.0.iter_mut().find_map(|(org, tenant)| {
            // Digests of unguessable keys tell nothing by the time that their comparison takes.
            let key = tenant.keys.iter_mut().find(|it| it.digest == digest)?;
            key.used = Some(now);
            Some((org.clone(), key.name.clone()))
        })
    }

    /// The organisation of the machine client with this id and secret.
    pub(crate) fn machine(&self, client_id: &str, secret: &str) -> Option<&str> {
        let found = self.0.iter().find(|(_, tenant)| {
            tenant.clients.iter().any(|it| {
                it.client_id == client_id
                    && it.secret.as_deref().is_some_and(|it| same_secret(it, secret))
            })
        });
        found.map(|(org, _)| org.as_str())
    }

    /// Whether somebody made this client in a portal.
    pub(crate) fn has_client(&self, client_id: &str) -> bool {
        self.0.values().any(|it| it.clients.iter().any(|it| it.client_id == client_id))
    }

    /// The limit that a request to an organisation hits, if it hits one.
    pub(crate) fn limit(&mut self, org: &str, caller: IpAddr, now: Duration) -> Option<Limit> {
        let tenant = self.0.get_mut(org)?;
        if !tenant.allowed.is_empty() && !tenant.allowed.iter().any(|it| it.contains(caller)) {
            return Some(Limit::Address);
        }
        let most = tenant.rate_limit?;
        let (begin, n) = &mut tenant.minute;
        if *begin + MINUTE <= now {
            (*begin, *n) = (now, 0);
        }
        if *n < most {
            *n += 1;
            return None;
        }
        Some(Limit::Rate((*begin + MINUTE).saturating_sub(now)))
    }
}

impl Tenant {
    /// Enters a new API key.
    pub(crate) fn add_key(&mut self, name: &str, made_by: &str, key: &str, now: Duration) {
        self.n_keys += 1;
        let last = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        self.keys.push(Key {
            id: format!("key-{}", self.n_keys),
            name: name.to_owned(),
            ending: key.get(last..).unwrap_or_default().to_owned(),
            made_by: made_by.to_owned(),
            made: now,
            used: None,
            digest: sha256(key.as_bytes()),
        });
    }

    /// Revokes an API key at once: false when there is no such key any more.
    pub(crate) fn revoke_key(&mut self, id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|it| it.id != id);
        self.keys.len() < before
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::{Limit, Tenants};
    use crate::mock::Plan;

    #[test]
    fn a_minute_has_so_many_requests() {
        let plan = Plan { rate_limit: Some(2), ..Plan::default() };
        let mut tenants = Tenants::new(&plan, Duration::ZERO);
        let caller = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut at = |org, seconds| tenants.limit(org, caller, Duration::from_secs(seconds));
        assert_eq!((at("acme", 100), at("acme", 110)), (None, None));
        assert_eq!(at("acme", 120), Some(Limit::Rate(Duration::from_secs(40))));
        // Others have their own, and so has the next minute.
        assert_eq!((at("globex", 120), at("acme", 160), at("nobody", 1)), (None, None, None));
    }

    #[test]
    fn lists_of_addresses_let_nobody_else_in() {
        let allowed_networks = vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        let plan = Plan { allowed_networks, ..Plan::default() };
        let mut tenants = Tenants::new(&plan, Duration::ZERO);
        let mut at = |ip: &str| tenants.limit("acme", ip.parse().unwrap(), Duration::ZERO);
        assert_eq!((at("10.1.2.3"), at("192.0.2.1")), (None, None));
        assert_eq!(
            (at("127.0.0.1"), at("192.0.2.2")),
            (Some(Limit::Address), Some(Limit::Address))
        );
    }
}
