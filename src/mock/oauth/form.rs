//! Parameters of OAuth requests, from a query or a form.

use url::form_urlencoded;

/// Decoded parameters.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Decodes `application/x-www-form-urlencoded`.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value of a parameter. RFC 6749 3.1: without a value counts as omitted.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, value)| it == name && !value.is_empty()).map(|(_, it)| it.as_str())
    }

    /// RFC 6749 3.1 and 3.2: parameters must not be included more than once. RFC 8707 2 lets
    /// `resource` be, which this server does not support, and so refuses too.
    pub(crate) fn has_repetition(&self) -> bool {
        self.0
            .iter()
            .enumerate()
            .any(|(at, (name, _))| self.0.iter().take(at).any(|(earlier, _)| earlier == name))
    }
}
