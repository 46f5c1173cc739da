//! Faults as text: `NAME[=ARGUMENT][*TIMES]`, for the command line.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::fault::Fault;

/// A fault and how often it is to strike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) fault: Fault,
    pub(crate) times: u32,
}

impl FromStr for Order {
    type Err = String;

    /// Without a number of times: every time.
    fn from_str(text: &str) -> Result<Self, String> {
        let (text, times) = match text.rsplit_once('*') {
            Some((rest, times)) => {
                (rest, times.parse().map_err(|_| format!("`{times}` is not a number of times"))?)
            }
            None => (text, u32::MAX),
        };
        Ok(Self { fault: text.parse()?, times })
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `NAME` or `NAME=ARGUMENT`, as `docs/mock-gateway.md` lists them.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        if let Some((family, member)) = name.split_once('.') {
            return replacement(family, member, argument);
        }
        let given = || argument.map(str::to_owned);
        let needed = || given().ok_or(format!("`{name}` needs an argument: `{name}=…`"));
        let status = || status(&needed()?);
        Ok(match name {
            "answer_before_202" => Self::AnswerBefore202,
            "answer_lost" => Self::AnswerLost,
            "answer_twice" => Self::AnswerTwice,
            "authorize_error" => Self::AuthorizeError(needed()?),
            "authorize_iss" => Self::AuthorizeIss(given()),
            "authorize_state" => Self::AuthorizeState(given()),
            "cookie_lost" => Self::CookieLost,
            "endpoint_event" => Self::EndpointEvent(needed()?),
            "forbidden" => Self::Forbidden,
            "handoff_invalid" => Self::HandoffInvalid,
            "insufficient_scope" => Self::InsufficientScope(needed()?),
            "latency" => Self::Latency(Duration::from_millis(number(&needed()?)?)),
            "post_redirect" => Self::PostRedirect(needed()?),
            "post_status" => Self::PostStatus(status()?),
            "rate_limit" => Self::RateLimit(argument.map(number).transpose()?),
            "register_status" => Self::RegisterStatus(status()?),
            "resource_metadata_status" => Self::ResourceMetadataStatus(status()?),
            "server_metadata_status" => Self::ServerMetadataStatus(status()?),
            "session_lost" => Self::SessionLost,
            "sse_status" => Self::SseStatus(status()?),
            "token_error" => Self::TokenError(needed()?),
            "token_html" => Self::TokenHtml,
            "token_reset_after_rotate" => Self::TokenResetAfterRotate,
            "token_status" => Self::TokenStatus(status()?),
            "unauthorized" => Self::Unauthorized,
            "unauthorized_without_challenge" => Self::UnauthorizedWithoutChallenge,
            _ => return Err(format!("there is no fault `{name}`")),
        })
    }
}

/// `FAMILY.MEMBER=JSON` puts another value into a document, `FAMILY.MEMBER` removes the member.
fn replacement(family: &str, member: &str, json: Option<&str>) -> Result<Fault, String> {
    let value = match json {
        // What is no JSON is meant as text: nobody wants to quote quotes in a shell.
        Some(json) => serde_json::from_str(json).unwrap_or_else(|_| Value::from(json)),
        None => Value::Null,
    };
    match family {
        "resource_metadata" => Ok(Fault::ResourceMetadata(member.to_owned(), value)),
        "server_metadata" => Ok(Fault::ServerMetadata(member.to_owned(), value)),
        "token" => Ok(Fault::TokenMember(member.to_owned(), value)),
        _ => Err(format!("there is no fault `{family}.…`")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

/// A status that a server may end with: 1xx would leave the client waiting.
fn status(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|it| (200..=599).contains(it))
        .ok_or(format!("`{text}` is not a status from 200 to 599"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fault, Order};

    #[test]
    fn orders_are_read() {
        let order = |text: &str| text.parse::<Order>().map(|it| (it.fault, it.times));
        let always = u32::MAX;
        assert_eq!(order("token_status=503*2"), Ok((Fault::TokenStatus(503), 2)));
        assert_eq!(order("answer_lost"), Ok((Fault::AnswerLost, always)));
        assert_eq!(order("rate_limit"), Ok((Fault::RateLimit(None), always)));
        assert_eq!(order("rate_limit=7"), Ok((Fault::RateLimit(Some(7)), always)));
        let expires = Fault::TokenMember("expires_in".into(), json!("soon"));
        assert_eq!(order("token.expires_in=soon*1"), Ok((expires, 1)));
        let removed = Fault::ServerMetadata("issuer".into(), json!(null));
        assert_eq!(order("server_metadata.issuer"), Ok((removed, always)));
        for wrong in
            ["", "nothing", "latency", "latency=x", "post_status=99", "a.b=1", "forbidden*x"]
        {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }

    /// People look a fault up where it is described, so every one is.
    #[test]
    fn every_fault_is_in_the_docs() {
        let source = include_str!("faults.rs").split("#[cfg(test)]").next().unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mock-gateway.md");
        let docs = std::fs::read_to_string(path).unwrap();
        let arms = source.lines().filter(|line| line.contains("\" => "));
        let names: Vec<_> = arms.filter_map(|line| line.split('"').nth(1)).collect();
        assert!(26 < names.len());
        for name in names {
            assert!(docs.contains(&format!("`{name}")), "`{name}` is missing in the docs");
        }
    }
}
