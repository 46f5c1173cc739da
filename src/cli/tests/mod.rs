//! One door: arguments and environment in, what the program would do out.

mod flags;
mod headers;
mod help;
mod install;
mod mcp_remote;
mod properties;
mod server;
mod sign_in;
mod split;
mod verbs;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::sign_in::DEFAULT_HOST;
use super::{Environment, Invocation, LogoutRequest, parse};
use crate::config::{
    Config, ConfiguredClient, Liveness, Network, Protocol, ResourceParameter, TokenStore,
    Verbosity, Way,
};

/// An environment of a test: variables, and files whose name begins with `/`.
#[derive(Default)]
struct Fixture(BTreeMap<&'static str, &'static str>);

impl Environment for Fixture {
    fn var(&self, name: &str) -> Option<OsString> {
        self.0.get(name).map(OsString::from)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        text.map(|text| (*text).to_owned()).ok_or_else(|| io::Error::other("no such file"))
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        let dir = format!("{}/", dir.display());
        let names = self.0.keys().filter_map(|path| path.strip_prefix(&dir));
        names.map(str::to_owned).collect()
    }

    fn user_id(&self) -> Option<u32> {
        Some(1000)
    }
}

fn run(args: &[&str], environment: &[(&'static str, &'static str)]) -> Invocation {
    let environment = Fixture(environment.iter().copied().collect());
    parse(args.iter().map(OsString::from).collect(), &environment)
}

/// Compares the invocation, rendered without what is default, to `expected`.
#[track_caller]
fn check(args: &[&str], environment: &[(&'static str, &'static str)], expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(render(&run(args, environment)), expected.join("\n"), "{args:?}");
}

/// The configuration of arguments that warn of nothing.
#[track_caller]
fn config(args: &[&str]) -> Config {
    match run(args, &[]) {
        Invocation::Bridge { config, warnings } if warnings.is_empty() => *config,
        other => panic!("{args:?}: {}", render(&other)),
    }
}

fn render(invocation: &Invocation) -> String {
    match invocation {
        Invocation::Bridge { config, warnings } => render_config(config, warnings),
        Invocation::Login { config, warnings } => {
            format!("login {:?} {}", config.caller, render_config(config, warnings))
        }
        Invocation::Status(request) => {
            let server = request.config.as_ref().map(|config| config.server_text.as_str());
            format!("status {server:?} json {} check {}", request.json, request.check)
        }
        Invocation::Logout(request) => {
            let server = request.config.as_ref().map(|config| config.server_text.as_str());
            let LogoutRequest { revoke, forget_client, .. } = request;
            format!("logout {server:?} revoke {revoke} forget {forget_client}")
        }
        Invocation::Install(request) => install::render_install(request),
        Invocation::Migrate(request) => {
            format!("migrate {}", install::render_target(&request.target))
        }
        Invocation::Uninstall(request) => {
            format!("uninstall {:?} {}", request.name, install::render_target(&request.target))
        }
        Invocation::Clients(request) => format!("clients json {}", request.json),
        Invocation::Print(text) => format!("print {}", text.lines().next().unwrap()),
        Invocation::RedirectHelper => "redirect helper".to_owned(),
        Invocation::Misuse { message, hint: None } => format!("error: {message}"),
        Invocation::Misuse { message, hint: Some(hint) } => {
            format!("error: {message}\nhint: {hint}")
        }
    }
}

fn render_config(config: &Config, warnings: &[String]) -> String {
    let Config { server_text, transport, access, login, network, .. } = config;
    let default = Network::default();
    let mut out = format!("{server_text} {transport:?} {access:?}");
    let headers = config.headers.iter();
    let headers = headers.map(|header| format!("{}: {}", header.name, header.value.expose()));
    let login = [
        login.port.map(|port| format!("port {port}")),
        (login.redirect_host != DEFAULT_HOST).then(|| format!("host {}", login.redirect_host)),
        (login.callback_path != "/oauth/callback").then(|| format!("path {}", login.callback_path)),
        (login.timeout_seconds != 300).then(|| format!("timeout {}", login.timeout_seconds)),
        match &login.resource {
            ResourceParameter::Announced => None,
            ResourceParameter::Fixed(resource) => Some(format!("resource {resource}")),
            ResourceParameter::Omitted => Some("no resource".to_owned()),
        },
        (login.way != Way::Browser).then(|| format!("{:?}", login.way)),
        login.client.as_ref().map(render_client),
        login.client_metadata_url.as_ref().map(|url| format!("document {url}")),
        (!login.registration.is_empty()).then(|| format!("registration {:?}", login.registration)),
        (!login.authorize_params.is_empty())
            .then(|| format!("params {:?}", login.authorize_params)),
        login.use_id_token.then(|| "ID token".to_owned()),
        login.success_url.as_ref().map(|url| format!("success {url}")),
        login.browser.as_ref().map(|browser| format!("browser {browser}")),
        (!network.proxy).then(|| "no proxy".to_owned()),
        (!network.authorities.is_empty())
            .then(|| format!("{} authorities", network.authorities.len())),
        network.identity.as_ref().map(|_| "identity".to_owned()),
        network.ipv4_only.then(|| "IPv4".to_owned()),
        (!network.cookies).then(|| "no cookies".to_owned()),
        (network.connect_limit != default.connect_limit)
            .then(|| format!("connect {:?}", network.connect_limit)),
        (network.head_limit != default.head_limit)
            .then(|| format!("head {:?}", network.head_limit)),
        (network.pause_limit != default.pause_limit)
            .then(|| format!("pause {:?}", network.pause_limit)),
        (config.protocol != Protocol::Auto).then(|| format!("{:?}", config.protocol)),
        (config.liveness.ping != Liveness::default().ping)
            .then(|| format!("ping {:?}", config.liveness.ping)),
        (config.liveness.request_limit != Liveness::default().request_limit)
            .then(|| format!("requests {:?}", config.liveness.request_limit)),
        (!config.hidden_tools.is_empty()).then(|| format!("hidden {:?}", config.hidden_tools)),
        config.state_dir.as_ref().map(|path| format!("state in {}", path.display())),
        (config.verbosity != Verbosity::Normal).then(|| format!("{:?}", config.verbosity)),
        (config.token_store != TokenStore::Keychain).then(|| format!("{:?}", config.token_store)),
    ];
    let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in headers.chain(login.into_iter().flatten()).chain(warnings) {
        write!(out, "\n{line}").unwrap();
    }
    out
}

fn render_client(client: &ConfiguredClient) -> String {
    let secret = client.secret.as_ref().map(|secret| secret.expose().to_owned());
    format!("client {} {secret:?} {:?} {:?}", client.id, client.auth_method, client.key.is_some())
}
