//! Renders pages: one layout, no script, nothing from elsewhere.

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
    /// The only style sheet that pages may have, as CSP names it.
    style: String,
}

impl Pages {
    pub(crate) fn new() -> io::Result<Self> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source).map_err(io::Error::other)?;
        }
        let style = format!("'sha256-{}'", STANDARD.encode(sha256(STYLE.as_bytes())));
        Ok(Self { templates, style })
    }

    /// A page. `form_action` lists where its forms may lead, redirects included.
    pub(crate) fn page(
        &self,
        status: StatusCode,
        template: &str,
        form_action: &str,
        values: &Value,
    ) -> Response {
        let rendered = self.render(template, values).and_then(|body| {
            self.render(
                "layout.html",
                &context! { body, style => STYLE, title => values.get_attr("title")? },
            )
        });
        let Ok(html) = rendered else {
            return (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered\n")
                .into_response();
        };
        let policy = format!(
            "default-src 'none'; style-src {}; form-action {form_action}; base-uri 'none'; \
             frame-ancestors 'none'",
            self.style,
        );
        let headers = [
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CACHE_CONTROL, "no-store".into()),
            // Not `no-referrer`: with it browsers send `Origin: null` with forms.
            (header::REFERRER_POLICY, "same-origin".into()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
            (header::X_FRAME_OPTIONS, "DENY".into()),
        ];
        (status, headers, Html(html)).into_response()
    }

    /// A page that only says what is wrong.
    pub(crate) fn problem(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.page(status, "problem.html", "'none'", &context! { title, text })
    }

    /// A page that only says what has been done.
    pub(crate) fn notice(&self, title: &str, text: &str) -> Response {
        self.page(StatusCode::OK, "notice.html", "'none'", &context! { title, text })
    }

    fn render(&self, template: &str, values: &Value) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(values)
    }
}

/// Names end in `.html`, which turns escaping on.
const TEMPLATES: [(&str, &str); 6] = [
    ("consent.html", include_str!("consent.html")),
    ("device.html", include_str!("device.html")),
    ("layout.html", include_str!("layout.html")),
    ("notice.html", include_str!("notice.html")),
    ("problem.html", include_str!("problem.html")),
    ("signin.html", include_str!("signin.html")),
];

const STYLE: &str = include_str!("style.css");
