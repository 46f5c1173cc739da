//! A value that no `Debug`, no error and no log line can print.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A credential: a token, a key, a client secret.
///
/// It has no `Display`, and its `Debug` says only that it is there. Reading it takes an explicit
/// [`Secret::expose`], so that every place where a credential leaves can be found by its name.
///
/// ```
/// use apexmcp_bridge::secret::Secret;
/// let key = Secret::new("apx_live_sk_0123".to_owned());
/// assert_eq!(format!("{key:?}"), "Secret(…)");
/// assert_eq!(key.expose(), "apx_live_sk_0123");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself: here it leaves the fence.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}
