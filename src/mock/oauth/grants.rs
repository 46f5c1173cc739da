//! What users granted: authorization codes and the families of refresh tokens that come from them.
//! Decisions only; time and new secrets are arguments.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::mock::evidence::RefreshTokenRecord;
use crate::mock::keys::{base64url, same_secret, sha256};
use crate::mock::log::fingerprint;
use crate::mock::role::Role;

/// What a user granted to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) user: String,
    pub(crate) org: String,
    /// What the user may do there; none for machines.
    pub(crate) role: Option<Role>,
    pub(crate) scope: String,
    pub(crate) resource: String,
    /// OpenID Connect Core 3.1.2.1: comes back in the ID token.
    pub(crate) nonce: Option<String>,
    /// Whether the client registered for refresh tokens.
    pub(crate) refreshes: bool,
}

/// What must be presented with a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// All grants of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, RefreshToken>,
    families: HashMap<u64, Family>,
    next_family: u64,
    generation: u64,
    reuses: u64,
    /// What was used once and must not be used again, with its expiry: decisions of the consent
    /// page and tokens by which clients proved themselves.
    used_up: HashMap<String, Duration>,
}

/// All refresh tokens that come from one code.
#[derive(Debug)]
struct Family {
    grant: Grant,
    revoked: bool,
}

#[derive(Debug)]
struct Code {
    family: u64,
    redirect_uri: String,
    challenge: String,
    expires: Duration,
    used: bool,
}

#[derive(Debug)]
struct RefreshToken {
    family: u64,
    /// The token that it was exchanged for.
    parent: Option<String>,
    issued: Duration,
    expires: Duration,
    /// When it was first exchanged.
    used: Option<Duration>,
    /// The token that came of the last exchange.
    successor: Option<String>,
    /// Every time that it was presented, for whatever it was good.
    presented: Vec<Duration>,
}

/// Where a new refresh token belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) family: u64,
    /// The token that it is exchanged for.
    pub(crate) parent: Option<&'a str>,
}

/// What happens to refresh tokens that are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    /// Whether they are used up.
    pub(crate) rotates: bool,
    /// Whether the use of a used one ends its chain (RFC 6749 10.4).
    pub(crate) reuse_revokes: bool,
    /// For how long used ones work all the same.
    pub(crate) grace: Option<Grace>,
}

/// A time in which lost answers are made up for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace {
    pub(crate) lasts: Duration,
    /// Only while the token that came of it was not used itself.
    pub(crate) last_only: bool,
}

/// A grant, and the family to which its next refresh token belongs.
pub(crate) type Redeemed = (Grant, u64);

impl Grants {
    /// Enters a new code.
    pub(crate) fn add_code(
        &mut self,
        code: String,
        grant: Grant,
        redirect_uri: String,
        challenge: String,
        now: Duration,
    ) {
        self.codes.retain(|_, it| now < it.expires);
        // Expired ones stay for a while: what was done with them is evidence.
        self.refresh_tokens.retain(|_, it| now < it.expires + Duration::from_hours(24));
        let family = self.add_family(grant);
        let expires = now + CODE_LIFETIME;
        self.codes.insert(code, Code { family, redirect_uri, challenge, expires, used: false });
    }

    /// Uses up a code (RFC 6749 4.1.3, RFC 7636 4.6). A wrong attempt uses it up, too.
    pub(crate) fn redeem_code(
        &mut self,
        code: &str,
        proof: Proof<'_>,
        now: Duration,
    ) -> Result<Redeemed, &'static str> {
        let code = self.codes.get_mut(code).ok_or("this code is not known")?;
        let family = self.families.get_mut(&code.family).ok_or("this code is not known")?;
        if code.used {
            // RFC 6749 4.1.2: a code used twice may be stolen, so what came from it ends.
            family.revoked = true;
            return Err("this code was used before");
        }
        code.used = true;
        if code.expires <= now {
            return Err("this code has expired");
        }
        if family.revoked {
            return Err("this code was revoked");
        }
        if family.grant.client_id != proof.client_id {
            return Err("this code belongs to another client");
        }
        if code.redirect_uri != proof.redirect_uri {
            return Err("`redirect_uri` is not that of the authorization request");
        }
        let challenge = base64url(&sha256(proof.verifier.as_bytes()));
        if !is_pkce_text(proof.verifier) || !same_secret(&challenge, &code.challenge) {
            return Err("`code_verifier` does not belong to the code challenge");
        }
        Ok((family.grant.clone(), code.family))
    }

    /// Enters a new refresh token.
    pub(crate) fn add_refresh_token(
        &mut self,
        token: String,
        link: Link<'_>,
        issued: Duration,
        expires: Duration,
    ) {
        if let Some(parent) = link.parent.and_then(|it| self.refresh_tokens.get_mut(it)) {
            parent.successor = Some(token.clone());
        }
        let new = RefreshToken {
            family: link.family,
            parent: link.parent.map(str::to_owned),
            issued,
            expires,
            used: None,
            successor: None,
            presented: Vec::new(),
        };
        self.refresh_tokens.insert(token, new);
    }

    /// Uses up a refresh token.
    pub(crate) fn redeem_refresh_token(
        &mut self,
        token: &str,
        client_id: &str,
        rotation: Rotation,
        now: Duration,
    ) -> Result<Redeemed, &'static str> {
        let in_grace = self.is_in_grace(token, rotation.grace, now);
        let token = self.refresh_tokens.get_mut(token).ok_or("this refresh token is not known")?;
        token.presented.push(now);
        let family =
            self.families.get_mut(&token.family).ok_or("this refresh token is not known")?;
        if family.grant.client_id != client_id {
            return Err("this refresh token belongs to another client");
        }
        if token.used.is_some() && !in_grace {
            // RFC 6749 10.4: one of its two holders is not the client, so the whole chain ends.
            self.reuses += 1;
            if rotation.reuse_revokes {
                family.revoked = true;
                return Err("this refresh token was used before: its whole chain is revoked");
            }
            return Err("this refresh token was used before");
        }
        if family.revoked {
            return Err("this refresh token was revoked");
        }
        if token.expires <= now {
            return Err("this refresh token has expired");
        }
        if rotation.rotates {
            token.used.get_or_insert(now);
        }
        Ok((family.grant.clone(), token.family))
    }

    fn is_in_grace(&self, token: &str, grace: Option<Grace>, now: Duration) -> bool {
        let token = self.refresh_tokens.get(token);
        let (Some(token), Some(grace)) = (token, grace) else { return false };
        let successor = token.successor.as_ref().and_then(|it| self.refresh_tokens.get(it));
        token.used.is_some_and(|used| now < used + grace.lasts)
            && !(grace.last_only && successor.is_some_and(|it| it.used.is_some()))
    }

    /// Uses up a code before its client can.
    pub(crate) fn use_up_code(&mut self, code: &str) {
        if let Some(code) = self.codes.get_mut(code) {
            code.used = true;
        }
    }

    /// What a refresh token stands for, without using it.
    pub(crate) fn peek(&self, token: &str) -> Option<&Grant> {
        let family = self.refresh_tokens.get(token)?.family;
        self.families.get(&family).map(|it| &it.grant)
    }

    /// Revokes the chain of a refresh token (RFC 7009 2.1), if it is the client's.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str) {
        let Some(token) = self.refresh_tokens.get(token) else { return };
        if let Some(family) = self.families.get_mut(&token.family)
            && family.grant.client_id == client_id
        {
            family.revoked = true;
        }
    }

    /// Revokes everything that was granted for an organisation so far.
    pub(crate) fn revoke_org(&mut self, org: &str) {
        self.families
            .values_mut()
            .filter(|it| it.grant.org == org)
            .for_each(|it| it.revoked = true);
    }

    /// Revokes everything that was granted to a client so far.
    pub(crate) fn revoke_client(&mut self, client_id: &str) {
        let all = self.families.values_mut();
        all.filter(|it| it.grant.client_id == client_id).for_each(|it| it.revoked = true);
    }

    /// The clients that an organisation's users have approved.
    pub(crate) fn clients_of(&self, org: &str) -> BTreeSet<String> {
        let all = self.families.values().map(|it| &it.grant);
        all.filter(|it| it.org == org).map(|it| it.client_id.clone()).collect()
    }

    /// The refresh tokens of an organisation that work, by client.
    pub(crate) fn live_refresh_tokens(&self, org: &str, now: Duration) -> Vec<&str> {
        let live = self.refresh_tokens.values().filter(|it| it.used.is_none() && now < it.expires);
        live.filter_map(|it| self.families.get(&it.family))
            .filter(|it| !it.revoked && it.grant.org == org)
            .map(|it| it.grant.client_id.as_str())
            .collect()
    }

    /// Revokes everything that was granted so far.
    pub(crate) fn revoke_all(&mut self) {
        self.families.values_mut().for_each(|it| it.revoked = true);
    }

    /// Declares all access tokens so far expired.
    pub(crate) fn expire_access_tokens(&mut self) {
        self.generation += 1;
    }

    /// The `jti` of a new access token.
    pub(crate) fn token_id(&self, random: &str) -> String {
        format!("g{}-{random}", self.generation)
    }

    /// Whether the token with this `jti` was issued since the last declaration.
    pub(crate) fn is_current(&self, jti: &str) -> bool {
        jti.starts_with(&format!("g{}-", self.generation))
    }

    /// What became of every refresh token, in the order of issue.
    pub(crate) fn records(&self) -> Vec<RefreshTokenRecord> {
        let mut records: Vec<_> = self
            .refresh_tokens
            .iter()
            .filter_map(|(token, it)| {
                let family = self.families.get(&it.family)?;
                Some(RefreshTokenRecord {
                    token: fingerprint(token),
                    chain: it.family,
                    parent: it.parent.as_deref().map(fingerprint),
                    client_id: family.grant.client_id.clone(),
                    user: family.grant.user.clone(),
                    org: family.grant.org.clone(),
                    issued: it.issued,
                    expires: it.expires,
                    presented: it.presented.clone(),
                    used: it.used.is_some(),
                    revoked: family.revoked,
                })
            })
            .collect();
        records.sort_by_key(|it| it.issued);
        records
    }

    /// How often a used refresh token was presented.
    pub(crate) fn reuses(&self) -> u64 {
        self.reuses
    }

    /// Uses up what may be used once: false when that happened before.
    pub(crate) fn use_once(&mut self, name: &str, expires: Duration, now: Duration) -> bool {
        self.used_up.retain(|_, expires| now < *expires);
        self.used_up.insert(name.to_owned(), expires).is_none()
    }

    /// A new family of refresh tokens, of a grant that came without a code.
    pub(crate) fn add_family(&mut self, grant: Grant) -> u64 {
        let family = self.next_family;
        self.next_family += 1;
        self.families.insert(family, Family { grant, revoked: false });
        family
    }
}

/// Whether a text can be a code verifier or challenge (RFC 7636 4.1, 4.2).
pub(crate) fn is_pkce_text(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~".contains(&it))
}

/// RFC 6749 4.1.2: ten minutes at most.
const CODE_LIFETIME: Duration = Duration::from_mins(10);
