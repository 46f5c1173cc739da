//! `WWW-Authenticate` (RFC 9110 §11.6.1) and what a Bearer challenge says (RFC 6750 §3, RFC 9728 §5.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a Bearer challenge says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the protected-resource metadata is (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// The scope that the request needs.
    pub scope: Option<String>,
    /// The error code (RFC 6750 §3.1).
    pub error: Option<String>,
    /// The error in words.
    pub error_description: Option<String>,
}

impl Challenge {
    /// The Bearer challenge among all challenges of an answer, if there is one.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let mut all = values.flat_map(|value| {
            // A realm may be in another encoding; that must not cost the rest.
            Self::read_all(&String::from_utf8_lossy(value.as_bytes()))
        });
        let first = all.next()?;
        // Of several, the one that says where to go on.
        let useful = |one: &Self| one.resource_metadata.is_some() || one.scope.is_some();
        if useful(&first) { Some(first) } else { all.find(useful).or(Some(first)) }
    }

    /// The Bearer challenges in one header value.
    pub fn read_all(value: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut in_bearer = false;
        let mut parts = Parts { rest: value };
        while let Some(part) = parts.next_part() {
            match (part, challenges.last_mut()) {
                (Part::Scheme(scheme), _) => {
                    in_bearer = scheme.eq_ignore_ascii_case("bearer");
                    if in_bearer {
                        challenges.push(Self::default());
                    }
                }
                (Part::Parameter(name, text), Some(challenge)) if in_bearer => {
                    challenge.set(name, text);
                }
                (Part::Parameter(..), _) => {}
            }
        }
        challenges
    }

    fn set(&mut self, name: &str, value: String) {
        let slot = match name.to_ascii_lowercase().as_str() {
            "resource_metadata" => &mut self.resource_metadata,
            "scope" => &mut self.scope,
            "error" => &mut self.error,
            "error_description" => &mut self.error_description,
            _ => return,
        };
        slot.get_or_insert(value);
    }
}

enum Part<'a> {
    Scheme(&'a str),
    Parameter(&'a str, String),
}

/// The list of challenges, read leniently: a comma separates parameters and challenges alike, so
/// only what follows a word tells which of the two it was.
struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn next_part(&mut self) -> Option<Part<'a>> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
            let word = self.take_word();
            if word.is_empty() {
                let mut rest = self.rest.chars();
                rest.next()?;
                // Not a word: junk that cannot begin a challenge.
                self.rest = rest.as_str();
                continue;
            }
            let after = self.rest.trim_start_matches([' ', '\t']);
            let Some(value) = after.strip_prefix('=') else { return Some(Part::Scheme(word)) };
            if value.starts_with('=') {
                // The padding of a token68 (`Negotiate abc==`).
                self.rest = value.trim_start_matches('=');
                continue;
            }
            self.rest = value.trim_start_matches([' ', '\t']);
            return Some(Part::Parameter(word, self.take_value()));
        }
    }

    fn take_word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~/".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn take_value(&mut self) -> String {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = quoted.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
            self.rest = chars.as_str();
            return value;
        }
        let end = self.rest.find([',', ' ', '\t']).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, metadata: Option<&str>, scope: Option<&str>, error: Option<&str>) {
        let challenge = Challenge::read_all(value)
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("no challenge in {value}"));
        assert_eq!(challenge.resource_metadata.as_deref(), metadata, "{value}");
        assert_eq!(challenge.scope.as_deref(), scope, "{value}");
        assert_eq!(challenge.error.as_deref(), error, "{value}");
    }

    #[test]
    fn challenges_of_the_real_world() {
        check("Bearer", None, None, None);
        check(r#"Bearer resource_metadata="https://a/x""#, Some("https://a/x"), None, None);
        check(r#"bearer Resource_Metadata=https://a/x"#, Some("https://a/x"), None, None);
        check(
            r#"Bearer scope="a b", error=invalid_token"#,
            None,
            Some("a b"),
            Some("invalid_token"),
        );
        check(r#"Basic realm="x, Bearer y", Bearer scope="s""#, None, Some("s"), None);
        check(r#"Negotiate abc==, Bearer scope="s""#, None, Some("s"), None);
        check(r#"Bearer scope = "s" , error = "e""#, None, Some("s"), Some("e"));
        check(r#"Bearer realm="a \"b\" c", scope="s""#, None, Some("s"), None);
        check(r#"Bearer scope="s", Basic realm="r", error="not mine""#, None, Some("s"), None);
        check(r#"Bearer scope="first", scope="second""#, None, Some("first"), None);
        check(r#"Bearer scope="open end"#, None, Some("open end"), None);
        check(r#",, Bearer ,scope="s""#, None, Some("s"), None);
        check(
            r#"DPoP algs="ES256", Bearer error="invalid_token", resource_metadata="m""#,
            Some("m"),
            None,
            Some("invalid_token"),
        );
    }

    #[test]
    fn no_bearer_no_challenge() {
        for value in [
            "",
            "Basic realm=\"x\"",
            "Negotiate",
            "Bearerish x=y",
            "=,\"",
            "Basic x=\"Bearer scope=s\"",
        ] {
            assert_eq!(Challenge::read_all(value), [], "{value}");
        }
    }

    #[test]
    fn several_header_lines() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer scope=\"s\"".parse().unwrap());
        assert_eq!(Challenge::from_headers(&headers).unwrap().scope.as_deref(), Some("s"));
        // The one that helps, and whatever the realm is written in.
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Bearer realm=\"x\", Bearer scope=\"t\"".parse().unwrap());
        assert_eq!(Challenge::from_headers(&headers).unwrap().scope.as_deref(), Some("t"));
        let latin = b"Bearer realm=\"M\xfcnchen\", scope=\"u\"";
        headers.insert(WWW_AUTHENTICATE, http::HeaderValue::from_bytes(latin).unwrap());
        assert_eq!(Challenge::from_headers(&headers).unwrap().scope.as_deref(), Some("u"));
    }

    proptest! {
        #[test]
        fn no_input_panics_or_hangs(value in ".{0,200}") {
            let _ = Challenge::read_all(&value).len();
        }
    }
}
