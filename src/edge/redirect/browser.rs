//! Opening the person's browser, without a shell and only at a web address.

use std::process::{Command, Stdio};
use std::thread;

use url::Url;

use crate::core::oauth::discovery::is_loopback;

/// Longer addresses are no sign-in pages.
const MAX_URL: usize = 8 << 10;

/// Refuses what must not reach a browser or an operating system's handler: other schemes than
/// `https` (`http` on this machine), user names, control characters, endless addresses.
pub fn check_browser_url(text: &str) -> Result<Url, &'static str> {
    if MAX_URL < text.len() || text.chars().any(char::is_control) {
        return Err("the address is too long or holds control characters");
    }
    let url = Url::parse(text).map_err(|_| "the address is no URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds a user name");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("the address is neither `https` nor on this machine"),
    }
}

/// Opens the address with `program`, or with the system's browser. What a program makes of it is
/// known only when it ends, which may be never: `failed` is called if it ends badly.
pub(super) fn open(
    text: &str,
    program: Option<&str>,
    failed: impl FnOnce(String) + Send + 'static,
) -> Result<(), String> {
    let url = check_browser_url(text)?;
    let Some(program) = program else {
        return webbrowser::open(url.as_str()).map_err(|error| error.to_string());
    };
    let mut child = Command::new(program)
        .arg(url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("`{program}`: {error}"))?;
    let name = program.to_owned();
    thread::spawn(move || match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => failed(format!("`{name}`: {status}")),
        Err(error) => failed(format!("`{name}`: {error}")),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_opened() {
        for good in
            ["https://as.example/authorize?a=b&c=$(x)", "http://127.0.0.1:1/a", "http://[::1]:1/"]
        {
            assert!(check_browser_url(good).is_ok(), "{good}");
        }
        let long = format!("https://as.example/{}", "x".repeat(MAX_URL));
        for bad in [
            "http://as.example/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "search-ms:query=x",
            "https://user@as.example/",
            "https://as.example/\r\nx",
            "--remote-debugging-port=1",
            &long,
        ] {
            assert!(check_browser_url(bad).is_err(), "{bad}");
        }
    }
}
