//! What the browser shows at the end of a sign-in: static text, nothing from the URL.

use super::Page;

const TEMPLATE: &str = include_str!("page.html");

/// The title of the page of another sign-in's tab.
pub const STALE_TITLE: &str = "This tab is out of date";

/// The page as HTML.
pub(super) fn render(page: Page, hint: Option<&str>) -> String {
    let (mark, title, text) = match page {
        Page::SignedIn => {
            ("done", "You are signed in", "You can close this tab and go back to your application.")
        }
        Page::Stale => (
            "other",
            STALE_TITLE,
            "It belongs to a sign-in that is over. Close it, and finish the newest one; if there is none, use the tool in your application once more.",
        ),
        Page::Denied => (
            "other",
            "You declined access",
            "Your application cannot use this server now. If you change your mind, wait a minute and use the tool in your application once more.",
        ),
        Page::Failed | Page::Onward => (
            "failed",
            "The sign-in did not work",
            "Wait a minute, then go back to your application and use the tool once more.",
        ),
    };
    let hint = hint.map(|hint| format!("<p class=\"hint\">{}</p>", escape(hint)));
    TEMPLATE
        .replace("{{mark}}", mark)
        .replace("{{title}}", title)
        .replace("{{text}}", text)
        .replace("{{hint}}", &hint.unwrap_or_default())
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_cannot_become_markup() {
        let html = render(Page::Failed, Some("<script>alert('x')</script>"));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(!html.contains("<script"));
        assert!(!html.contains("{{"));
    }
}
