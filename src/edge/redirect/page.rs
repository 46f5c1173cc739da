//! What the browser shows at the end of a sign-in: static text with the name of the server, which is
//! configured.

use super::{Page, Scene};

const TEMPLATE: &str = include_str!("page.html");

/// The title of the page of another sign-in's tab.
pub const STALE_TITLE: &str = "This tab is out of date";

/// The page as HTML.
pub(super) fn render(page: Page, hint: Option<&str>, scene: &Scene) -> String {
    let server = format!("<strong>{}</strong>", escape(&scene.server));
    let (back, again) = if scene.terminal {
        ("the terminal", "run the command once more")
    } else {
        ("your application", "wait a minute and use the tool in your application once more")
    };
    let (mark, title, text) = match page {
        Page::SignedIn => (
            "done",
            "You are signed in",
            format!(
                "This computer may use {server} now. You can close this tab and go back to {back}."
            ),
        ),
        Page::Stale => (
            "other",
            STALE_TITLE,
            format!(
                "It belongs to a sign-in at {server} that is over. Close it, and finish the newest one; if there is none, {again}."
            ),
        ),
        Page::Denied => (
            "other",
            "You declined access",
            format!("This computer may not use {server}. If you change your mind, {again}."),
        ),
        Page::Failed | Page::Onward => (
            "failed",
            "The sign-in did not work",
            format!("You are not signed in to {server}. To try again, {again}."),
        ),
    };
    let hint = hint.map(|hint| format!("<p class=\"hint\">{}</p>", marked(&escape(hint))));
    TEMPLATE
        .replace("{{mark}}", mark)
        .replace("{{title}}", title)
        .replace("{{text}}", &text)
        .replace("{{hint}}", &hint.unwrap_or_default())
}

/// What stands between backticks is code; one that stands alone stays.
fn marked(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
    {
        html.extend([before, "<code>", code, "</code>"]);
        rest = after;
    }
    html + rest
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

    fn scene(terminal: bool) -> Scene {
        Scene { server: "mcp.example:8080".to_owned(), terminal }
    }

    #[test]
    fn a_hint_cannot_become_markup() {
        let hint = "use `--ca-cert FILE` <script>alert('x')</script> `";
        let html = render(Page::Failed, Some(hint), &scene(false));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(
            html.contains("use <code>--ca-cert FILE</code> &lt;") && html.contains("&gt; `</p>")
        );
        assert!(!html.contains("<script"));
        assert!(!html.contains("{{"));
    }

    #[test]
    fn a_page_says_where_and_how_to_go_on() {
        for page in [Page::SignedIn, Page::Stale, Page::Denied, Page::Failed] {
            let (host, person) =
                (render(page, None, &scene(false)), render(page, None, &scene(true)));
            assert!(host.contains("<strong>mcp.example:8080</strong>"), "{page:?}");
            assert!(host.contains("your application") && !host.contains("terminal"), "{page:?}");
            assert!(!person.contains("application"), "{page:?}");
        }
        let odd = Scene { server: "<b>".to_owned(), terminal: false };
        assert!(render(Page::SignedIn, None, &odd).contains("&lt;b&gt;"));
    }
}
