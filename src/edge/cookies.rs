//! The cookies with which a load balancer finds the backend that holds a session again.
//!
//! They are kept in memory for one origin, the configured server's, and go nowhere else: their
//! `Domain` widens nothing. Path and expiry are those of RFC 6265 §5.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use url::{Origin, Url};

use crate::core::time::http_date;

/// RFC 6265 §6.1 asks for at least as many for one domain.
const MOST_COOKIES: usize = 50;
/// The size of one cookie that RFC 6265 §6.1 asks for at least.
const LONGEST_COOKIE: usize = 4096;

/// The cookies of one origin.
#[derive(Debug)]
pub(super) struct Jar {
    origin: Origin,
    cookies: Vec<Cookie>,
}

/// Its value may be worth as much as a session id: it has no `Debug` that shows it.
struct Cookie {
    name: String,
    value: String,
    path: String,
    /// In seconds since 1970.
    expires: Option<u64>,
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Jar {
    /// An empty jar for the origin of `server`.
    pub(super) fn new(server: &Url) -> Self {
        Self { origin: server.origin(), cookies: Vec::new() }
    }

    /// Adds the cookies for `url`, unless the user has configured some.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, url: &Url, now: u64) {
        if url.origin() != self.origin || headers.contains_key(COOKIE) {
            return;
        }
        let mut wanted: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.is_alive(now) && is_below(url.path(), &cookie.path))
            .collect();
        // Longer paths first, then in the order in which they came (RFC 6265 §5.4).
        wanted.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> =
            wanted.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() {
            return;
        }
        if let Ok(mut value) = HeaderValue::from_str(&pairs.join("; ")) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps what an answer from `url` sets.
    pub(super) fn take_from(&mut self, headers: &HeaderMap, url: &Url, now: u64) {
        if url.origin() != self.origin {
            return;
        }
        for text in headers.get_all(SET_COOKIE) {
            let Some(cookie) = text.to_str().ok().and_then(|text| Cookie::read(text, url, now))
            else {
                continue;
            };
            let same = |old: &Cookie| old.name == cookie.name && old.path == cookie.path;
            let place = self.cookies.iter().position(same);
            match (place, cookie.is_alive(now)) {
                (Some(place), true) => {
                    if let Some(old) = self.cookies.get_mut(place) {
                        *old = cookie;
                    }
                }
                (Some(place), false) => {
                    self.cookies.remove(place);
                }
                (None, true) => {
                    self.cookies.retain(|cookie| cookie.is_alive(now));
                    if self.cookies.len() == MOST_COOKIES {
                        self.cookies.remove(0);
                    }
                    self.cookies.push(cookie);
                }
                (None, false) => {}
            }
        }
    }
}

impl Cookie {
    /// Reads one `Set-Cookie` header (RFC 6265 §5.2).
    fn read(text: &str, url: &Url, now: u64) -> Option<Self> {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || LONGEST_COOKIE < name.len() + value.len() {
            return None;
        }
        let (mut path, mut expires, mut max_age) = (None, None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match key.as_str() {
                "path" => path = value.starts_with('/').then(|| value.to_owned()),
                "expires" => expires = http_date(value).or(expires),
                "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
                _ => {}
            }
        }
        // Of the two, Max-Age counts (RFC 6265 §5.3). What is beyond the clock does not end.
        let expires = match max_age.map(u64::try_from) {
            Some(Ok(seconds)) => now.checked_add(seconds),
            Some(Err(_)) => Some(0),
            None => expires,
        };
        let path = path.unwrap_or_else(|| default_path(url));
        Some(Self { name: name.to_owned(), value: value.to_owned(), path, expires })
    }

    fn is_alive(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// The path up to its last slash (RFC 6265 §5.1.4).
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((path, _)) => path.to_owned(),
    }
}

/// Whether `path` is the cookie's, or below it (RFC 6265 §5.1.4).
fn is_below(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn set(jar: &mut Jar, from: &str, cookies: &[&str]) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        jar.take_from(&headers, &url(from), 1000);
    }

    fn sent(jar: &Jar, to: &str, after: u64) -> String {
        let mut headers = HeaderMap::new();
        jar.add_to(&mut headers, &url(to), 1000 + after);
        headers.get(COOKIE).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn jar() -> Jar {
        Jar::new(&url("https://mcp.example/mcp/acme"))
    }

    #[test]
    fn cookies_return_to_the_origin_that_set_them_and_nowhere_else() {
        let mut jar = jar();
        set(&mut jar, "https://evil.example/", &["a=evil"]);
        set(&mut jar, "https://mcp.example/mcp/acme", &["AWSALB=x=/+; Path=/", "b=2"]);
        assert_eq!(sent(&jar, "https://mcp.example/mcp/acme", 0), "b=2; AWSALB=x=/+");
        assert_eq!(sent(&jar, "https://mcp.example/other", 0), "AWSALB=x=/+");
        for elsewhere in [
            "http://mcp.example/mcp/acme",
            "https://mcp.example:8443/mcp/acme",
            "https://sub.mcp.example/mcp/acme",
        ] {
            assert_eq!(sent(&jar, elsewhere, 0), "", "{elsewhere}");
        }
    }

    #[test]
    fn paths() {
        let mut jar = jar();
        set(&mut jar, "https://mcp.example/mcp/acme", &["a=1; Path=/mcp", "b=2; Path=mcp"]);
        for (path, expected) in
            [("/mcp", "a=1; b=2"), ("/mcp/", "a=1; b=2"), ("/mcp/x", "a=1; b=2"), ("/mcpx", "")]
        {
            assert_eq!(sent(&jar, &format!("https://mcp.example{path}"), 0), expected, "{path}");
        }
    }

    #[test]
    fn expiry() {
        let at = "https://mcp.example/";
        let mut jar = jar();
        set(
            &mut jar,
            at,
            &[
                "short=1; Max-Age=10",
                "long=1; expires=Thu, 01 Jan 1970 00:20:00 GMT",
                "both=1; Max-Age=10; Expires=Thu, 01 Jan 2970 00:20:00 GMT",
                "dead=1; Max-Age=0",
                "broken=1; Max-Age=soon; Expires=never",
            ],
        );
        assert_eq!(sent(&jar, at, 0), "short=1; long=1; both=1; broken=1");
        assert_eq!(sent(&jar, at, 10), "long=1; broken=1");
        assert_eq!(sent(&jar, at, 200), "broken=1");
        set(&mut jar, at, &["short=2", "broken=; Max-Age=-1"]);
        assert_eq!(sent(&jar, at, 0), "short=2; long=1; both=1", "replaced, and deleted");
    }

    #[test]
    fn a_server_cannot_fill_the_memory() {
        let at = "https://mcp.example/";
        let mut jar = jar();
        let many: Vec<_> = (0..100).map(|n| format!("n{n}=1")).collect();
        set(&mut jar, at, &many.iter().map(String::as_str).collect::<Vec<_>>());
        set(&mut jar, at, &[&format!("big={}", "x".repeat(LONGEST_COOKIE)), "=1", "novalue"]);
        let all = sent(&jar, at, 0);
        assert_eq!(all.split("; ").count(), MOST_COOKIES);
        assert!(all.ends_with("n99=1"), "{all}");
    }

    #[test]
    fn what_the_user_configured_wins() {
        let mut jar = jar();
        set(&mut jar, "https://mcp.example/", &["a=1"]);
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("mine=1"));
        jar.add_to(&mut headers, &url("https://mcp.example/"), 0);
        assert_eq!(headers[COOKIE], "mine=1");
    }
}
