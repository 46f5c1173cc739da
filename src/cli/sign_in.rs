//! What the flags say about signing in.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use url::Url;

use super::environment::Environment;
use super::flags::Flags;
use super::headers::Template;
use super::legacy::Identity;
use super::resolve::{ignored, text};
use super::{Misuse, desktop, headers};
use crate::config::{ClientKey, ConfiguredClient, LoginOptions, ResourceParameter, Tolerance, Way};
use crate::core::oauth::{discovery::is_loopback, login::browsers_refuse};
use crate::edge::assertion;
use crate::secret::Secret;

/// Validates everything that a sign-in needs to know.
pub(super) fn options(
    flags: &Flags,
    server_text: &str,
    templates: &[Template],
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<LoginOptions, Misuse> {
    let resource = resource(flags, warnings)?;
    let authorize_params = authorize_params(flags, warnings)?;
    let client_metadata_url = client_metadata_url(flags, warnings);
    let client = client(flags, environment)?;
    let way = way(flags, client.as_ref(), warnings)?;
    let identity = identity(flags, server_text, &resource, &authorize_params, templates);
    let preferred_port = identity.port();
    let mut valid = |flag, value: Option<&String>, expected, is_valid: fn(&str) -> bool| {
        let value = value?;
        if is_valid(value) {
            return Some(value.clone());
        }
        warnings.push(ignored(flag, expected));
        None
    };
    let port = valid("the port", flags.port.as_ref(), "a number from 1 to 65535", |text| {
        text.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let host = valid("`--host`", flags.host.as_ref(), "a host name", is_host);
    let path = valid("`--callback-path`", flags.callback_path.as_ref(), "`/` and a path", is_path);
    let timeout =
        valid("`--auth-timeout`", flags.auth_timeout.as_ref(), "1 to 86400 seconds", |text| {
            text.parse().is_ok_and(|seconds| (1..=LONGEST_SIGN_IN).contains(&seconds))
        });
    let port = port.and_then(|text| text.parse().ok());
    if let Some(port) = port.filter(|port| browsers_refuse(*port)) {
        warnings.push(format!("browsers open no page at port {port}; choose another one"));
    }
    let browser = text(environment, "APEXMCP_BRIDGE_BROWSER")?;
    let desktop = desktop::look(environment);
    Ok(LoginOptions {
        way,
        port,
        preferred_port,
        redirect_host: host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
        callback_path: path.unwrap_or_else(|| DEFAULT_PATH.to_owned()),
        timeout_seconds: timeout.and_then(|text| text.parse().ok()).unwrap_or(SIGN_IN),
        resource,
        client,
        client_metadata_url,
        registration: registration(flags, environment)?,
        authorize_params,
        use_id_token: flags.use_id_token,
        tolerance: tolerance(flags, warnings),
        success_url: success_url(flags)?,
        headless: desktop.headless && browser.is_none(),
        browser,
        desktop: desktop.missing,
    })
}

fn tolerance(flags: &Flags, warnings: &mut Vec<String>) -> Tolerance {
    let mut tolerance = Tolerance::default();
    for what in &flags.tolerate {
        match what.as_str() {
            "issuer" => tolerance.issuer = true,
            "pkce" => tolerance.pkce = true,
            "resource" => tolerance.resource = true,
            _ => warnings.push(ignored("`--tolerate`", "`issuer`, `pkce` or `resource`")),
        }
    }
    tolerance
}

/// The name of the stored record: two configurations that would ask for different tokens do not
/// share one.
pub(super) fn store_key(
    server_text: &str,
    options: &LoginOptions,
    templates: &[Template],
) -> String {
    let mut key = server_text.to_owned();
    let mut add = |part: &str| {
        key.push('\n');
        key.push_str(part);
    };
    match &options.resource {
        ResourceParameter::Fixed(resource) => add(resource),
        ResourceParameter::Announced => add(""),
        ResourceParameter::Omitted => add("no resource"),
    }
    if let Some(scope) = options.scope() {
        add(&format!("scope={scope}"));
    }
    if options.use_id_token {
        add("ID token");
    }
    for (name, value) in &options.authorize_params {
        add(&format!("{name}={value}"));
    }
    for template in templates {
        add(&format!("{}:{}", template.name.to_ascii_lowercase(), template.text));
    }
    if let Some(client) = &options.client {
        add(&client.id);
    }
    if let Some(url) = &options.client_metadata_url {
        add(url);
    }
    key
}

/// What mcp-remote would name the files of this sign-in by.
pub(super) fn legacy_name(
    flags: &Flags,
    server_text: &str,
    options: &LoginOptions,
    templates: &[Template],
) -> String {
    let LoginOptions { resource, authorize_params, .. } = options;
    identity(flags, server_text, resource, authorize_params, templates).name()
}

fn resource(flags: &Flags, warnings: &mut Vec<String>) -> Result<ResourceParameter, Misuse> {
    match flags.resource.as_deref().map(str::trim) {
        given if flags.disable_resource_parameter => {
            if given.is_some_and(|text| !text.is_empty()) {
                warnings.push(
                    "`--resource` is ignored: `--disable-resource-parameter` leaves it out"
                        .to_owned(),
                );
            }
            Ok(ResourceParameter::Omitted)
        }
        None => Ok(ResourceParameter::Announced),
        Some("") => Ok(ResourceParameter::Omitted),
        // RFC 8707 2.
        Some(uri) if !Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none()) => {
            Err(Misuse::new("`--resource` is not an absolute URI without a fragment"))
        }
        Some(uri) => Ok(ResourceParameter::Fixed(uri.to_owned())),
    }
}

fn authorize_params(
    flags: &Flags,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, String)>, Misuse> {
    let mut params: Vec<(String, String)> = Vec::new();
    for text in &flags.authorize_param {
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Misuse::new("an `--authorize-param` is not of the form `NAME=VALUE`"));
        };
        if PROTECTED.contains(&name) {
            return Err(Misuse::new(format!(
                "`--authorize-param` cannot set `{name}`: the sign-in depends on it"
            )));
        }
        if name == "resource" {
            warnings.push(
                "`--authorize-param resource=…` changes only the first of the requests that name \
                 the resource; `--resource` changes all of them"
                    .to_owned(),
            );
        }
        params.retain(|(own, _)| own != name);
        params.push((name.to_owned(), value.to_owned()));
    }
    Ok(params)
}

fn client_metadata_url(flags: &Flags, warnings: &mut Vec<String>) -> Option<String> {
    let text = flags.client_metadata_url.as_ref()?;
    if is_document(text) {
        return Some(text.clone());
    }
    warnings.push(ignored("`--client-metadata-url`", "an https URL with a path"));
    None
}

fn is_document(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.path() != "/"
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn client(
    flags: &Flags,
    environment: &dyn Environment,
) -> Result<Option<ConfiguredClient>, Misuse> {
    const FLAG: &str = "--static-oauth-client-info";
    let key = match &flags.client_private_key {
        Some(path) => Some(private_key(path, flags.client_key_id.clone(), environment)?),
        None => None,
    };
    let Some(given) = &flags.static_oauth_client_info else {
        return match key {
            Some(_) => Err(Misuse::new(format!("`--client-private-key` needs `{FLAG}`"))
                .hint(format!("{FLAG} '{{\"client_id\":\"…\"}}'"))),
            None => Ok(None),
        };
    };
    let text = content(FLAG, given, environment)?;
    let text = headers::expand_text(&text, environment)
        .map_err(|reason| Misuse::new(format!("`{FLAG}`: {reason}")))?;
    let members = object(FLAG, &text)?;
    let member = |name: &str| {
        members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let id =
        member("client_id").ok_or_else(|| Misuse::new(format!("`{FLAG}` has no `client_id`")))?;
    Ok(Some(ConfiguredClient {
        id,
        secret: member("client_secret").map(Secret::new),
        auth_method: member("token_endpoint_auth_method"),
        key,
    }))
}

fn private_key(
    path: &Path,
    id: Option<String>,
    environment: &dyn Environment,
) -> Result<ClientKey, Misuse> {
    const FLAG: &str = "--client-private-key";
    let pem = read(FLAG, path, environment)?;
    assertion::check(&pem).map_err(|reason| Misuse::new(format!("`{FLAG}`: {reason}")))?;
    Ok(ClientKey { pem: Secret::new(pem), id })
}

fn registration(
    flags: &Flags,
    environment: &dyn Environment,
) -> Result<Map<String, Value>, Misuse> {
    const FLAG: &str = "--static-oauth-client-metadata";
    match &flags.static_oauth_client_metadata {
        Some(given) => object(FLAG, &content(FLAG, given, environment)?),
        None => Ok(Map::new()),
    }
}

/// The JSON itself, or that of the file after an `@`.
fn content(flag: &str, given: &str, environment: &dyn Environment) -> Result<String, Misuse> {
    match given.strip_prefix('@') {
        Some(path) => read(flag, &PathBuf::from(path), environment),
        None => Ok(given.to_owned()),
    }
}

fn read(flag: &str, path: &Path, environment: &dyn Environment) -> Result<String, Misuse> {
    environment.read_file(path).map_err(|error| {
        let misuse = Misuse::new(format!("`{flag}`: cannot read `{}`: {error}", path.display()));
        if path.is_absolute() {
            return misuse;
        }
        misuse.hint("give the whole path: MCP clients start programs in any folder")
    })
}

fn object(flag: &str, text: &str) -> Result<Map<String, Value>, Misuse> {
    // Its text may hold a secret, so the parser's own words are not repeated.
    serde_json::from_str(text).map_err(|_| Misuse::new(format!("`{flag}` is not a JSON object")))
}

fn way(
    flags: &Flags,
    client: Option<&ConfiguredClient>,
    warnings: &mut Vec<String>,
) -> Result<Way, Misuse> {
    if !flags.client_credentials {
        if flags.token_endpoint.is_some() {
            warnings
                .push("`--token-endpoint` has no effect without `--client-credentials`".to_owned());
        }
        return Ok(if flags.device_code { Way::Device } else { Way::Browser });
    }
    if flags.device_code {
        warnings
            .push("`--device-code` is ignored: `--client-credentials` needs no person".to_owned());
    }
    if !client.is_some_and(|client| client.secret.is_some() || client.key.is_some()) {
        return Err(Misuse::new("`--client-credentials` needs a client with a secret or a key").hint(
            "--static-oauth-client-info '{\"client_id\":\"…\",\"client_secret\":\"${CLIENT_SECRET}\"}'",
        ));
    }
    let token_endpoint = match &flags.token_endpoint {
        Some(text) => Some(token_endpoint(text)?),
        None => None,
    };
    Ok(Way::Client { token_endpoint })
}

fn token_endpoint(text: &str) -> Result<Url, Misuse> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
        .filter(|url| {
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
        })
        .ok_or_else(|| {
            Misuse::new("`--token-endpoint` is not an https URL without user name and fragment")
        })
}

fn success_url(flags: &Flags) -> Result<Option<Url>, Misuse> {
    let Some(text) = &flags.auth_success_url else { return Ok(None) };
    let is_safe = |url: &Url| {
        let http = url.scheme() == "http" && (is_loopback(url) || flags.allow_http);
        (url.scheme() == "https" || http)
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(text).ok().filter(is_safe) {
        Some(url) => Ok(Some(url)),
        None => Err(Misuse::new(
            "`--auth-success-url` is not an https URL without user name, query and fragment",
        )),
    }
}

fn identity<'a>(
    flags: &'a Flags,
    server: &'a str,
    resource: &'a ResourceParameter,
    authorize_params: &'a [(String, String)],
    templates: &'a [Template],
) -> Identity<'a> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let headers = templates.iter().filter(|template| template.name.chars().all(plain));
    let endpoint = flags.token_endpoint.as_deref().and_then(|text| Url::parse(text).ok());
    Identity {
        server,
        resource: match resource {
            ResourceParameter::Fixed(resource) => Some(resource),
            ResourceParameter::Announced | ResourceParameter::Omitted => None,
        },
        authorize_params: authorize_params
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect(),
        headers: headers.map(|template| (&*template.name, &*template.text)).collect(),
        client_metadata_url: flags.client_metadata_url.as_deref().filter(|text| is_document(text)),
        token_endpoint: endpoint.map(String::from),
    }
}

/// A host name or address that is the whole authority of a URL.
fn is_host(text: &str) -> bool {
    Url::parse(&format!("http://{text}:1/")).is_ok_and(|url| {
        url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(text)) && url.port() == Some(1)
    })
}

/// A path that a URL leaves as it is.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && Url::parse(&format!("http://localhost{text}"))
            .is_ok_and(|url| url.path() == text && url.query().is_none())
}

/// What an authorization request stands and falls with.
const PROTECTED: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
];
/// Time to find a password manager and a second factor. mcp-remote waits without end.
const SIGN_IN: u64 = 300;
/// Nobody signs in for longer than a day.
const LONGEST_SIGN_IN: u64 = 86_400;
const DEFAULT_PATH: &str = "/oauth/callback";
#[cfg(windows)]
pub(super) const DEFAULT_HOST: &str = "127.0.0.1";
#[cfg(not(windows))]
pub(super) const DEFAULT_HOST: &str = "localhost";
