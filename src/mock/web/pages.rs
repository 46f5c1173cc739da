//! Renders pages: two layouts, no script but the one for copy buttons, nothing from elsewhere.

use std::io;

use axum::response::{Html, IntoResponse as _, Response};
use http::{StatusCode, header};
use minijinja::{Environment, Value, context};

use crate::mock::keys::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The templates.
#[derive(Debug)]
pub(crate) struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    pub(crate) fn new() -> io::Result<Self> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source).map_err(io::Error::other)?;
        }
        Ok(Self { templates })
    }

    /// A page with a card in its middle. `form_action` lists where its forms may lead, redirects
    /// included.
    pub(crate) fn page(
        &self,
        status: StatusCode,
        template: &str,
        form_action: &str,
        values: &Value,
    ) -> Response {
        let content = format!("style-src {}; form-action {form_action}", source(STYLE));
        let layout = context! { style => STYLE };
        self.send(status, ("layout.html", layout), template, values, &content)
    }

    /// A page of the dashboard.
    pub(crate) fn dashboard(&self, status: StatusCode, template: &str, values: &Value) -> Response {
        let style = format!("{STYLE}{DASHBOARD_STYLE}");
        let content = format!(
            "style-src {}; script-src {}; form-action 'self'",
            source(&style),
            source(DASHBOARD_SCRIPT),
        );
        let layout = context! { style, script => DASHBOARD_SCRIPT };
        self.send(status, ("dashboard.html", layout), template, values, &content)
    }

    /// A page that only says what is wrong.
    pub(crate) fn problem(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.page(status, "problem.html", "'none'", &context! { title, text })
    }

    /// A page that only says what has been done.
    pub(crate) fn notice(&self, title: &str, text: &str) -> Response {
        self.page(StatusCode::OK, "notice.html", "'none'", &context! { title, text })
    }

    fn send(
        &self,
        status: StatusCode,
        (layout, around): (&str, Value),
        template: &str,
        values: &Value,
        content: &str,
    ) -> Response {
        let around = context! { ..around, ..values.clone() };
        let rendered = self
            .render(template, values)
            .and_then(|body| self.render(layout, &context! { body, ..around }));
        let Ok(html) = rendered else {
            return (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered\n")
                .into_response();
        };
        (status, headers(content), Html(html)).into_response()
    }

    fn render(&self, template: &str, values: &Value) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(values)
    }
}

/// The headers of every page; `content` is what its policy allows.
pub(crate) fn headers(content: &str) -> [(header::HeaderName, String); 5] {
    let policy = format!("default-src 'none'; {content}; base-uri 'none'; frame-ancestors 'none'");
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".into()),
        // Not `no-referrer`: with it browsers send `Origin: null` with forms.
        (header::REFERRER_POLICY, "same-origin".into()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (header::X_FRAME_OPTIONS, "DENY".into()),
    ]
}

/// The name of an embedded style sheet or script in a policy.
pub(crate) fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())))
}

/// Names end in `.html`, which turns escaping on.
const TEMPLATES: [(&str, &str); 13] = [
    ("audit.html", include_str!("dashboard/audit.html")),
    ("client_delete.html", include_str!("dashboard/client_delete.html")),
    ("client_new.html", include_str!("dashboard/client_new.html")),
    ("clients.html", include_str!("dashboard/clients.html")),
    ("consent.html", include_str!("consent.html")),
    ("dashboard.html", include_str!("dashboard/dashboard.html")),
    ("device.html", include_str!("device.html")),
    ("keys.html", include_str!("dashboard/keys.html")),
    ("layout.html", include_str!("layout.html")),
    ("notice.html", include_str!("notice.html")),
    ("organisation.html", include_str!("dashboard/organisation.html")),
    ("problem.html", include_str!("problem.html")),
    ("signin.html", include_str!("signin.html")),
];

/// Colours and controls, which the live view shares.
pub(crate) const STYLE: &str = include_str!("style.css");
const DASHBOARD_STYLE: &str = include_str!("dashboard/dashboard.css");
const DASHBOARD_SCRIPT: &str = include_str!("dashboard/copy.js");
