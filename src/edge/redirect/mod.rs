//! The loopback listener of a sign-in and the opening of the browser, in a process of their own
//! (RFC 8252 §7.3).
//!
//! The bridge starts its own program once more, with pipes between the two. Whatever a hostile
//! page does to the listener, and whatever a browser does to its terminal, cannot touch the
//! conversation. When the bridge ends, its end of the pipe closes, and the listener is gone.
//!
//! One JSON object a line: [`Command`]s go in, [`News`] come out.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

mod browser;
mod listener;
mod page;

pub use browser::check_browser_url;
pub use page::STALE_TITLE;

/// The hidden first argument that makes the program the listener.
pub const ARGUMENT: &str = "__redirect-helper";

/// What the bridge asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Listen on the first of these ports that is free; 0 is any.
    Bind {
        /// The ports, in order.
        ports: Vec<u16>,
        /// The only path that is answered.
        path: String,
        /// The host name in the redirect URI.
        host: String,
    },
    /// Open the browser.
    Open {
        /// Where.
        url: Secret,
        /// With this program instead of the system's browser.
        browser: Option<String>,
    },
    /// Answer a redirect.
    Answer {
        /// Which one.
        id: u64,
        /// With which page.
        page: Page,
        /// What to do next, in words; for [`Page::Onward`] where to go.
        hint: Option<String>,
        /// What it is about.
        scene: Scene,
    },
}

/// What a sign-in is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scene {
    /// The server's host, and its port where it has one.
    pub server: String,
    /// Whether somebody at a terminal has started it, and no application.
    pub terminal: bool,
}

/// The pages that a browser may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// The sign-in worked.
    SignedIn,
    /// No page: the browser goes on to another address.
    Onward,
    /// The tab belongs to another sign-in.
    Stale,
    /// The person said no.
    Denied,
    /// It did not work.
    Failed,
}

/// What the listener tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It listens on this port.
    Bound(u16),
    /// It cannot listen.
    BindFailed(String),
    /// The browser could not be opened.
    OpenFailed(String),
    /// A browser came to the redirect URI.
    Redirected {
        /// What the answer will be matched by.
        id: u64,
        /// The query.
        query: Secret,
    },
}

/// Runs the program as the listener.
pub fn helper_main() -> ExitCode {
    listener::serve(std::io::stdin().lock(), std::io::stdout());
    ExitCode::SUCCESS
}
