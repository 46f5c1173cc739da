//! Clients whose id is the URL of a document about them (CIMD,
//! `draft-ietf-oauth-client-id-metadata-document`), next to those that are registered.

use std::time::Duration;

use http::header;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::{Client, is_loopback, is_plain, is_redirect_uri};
use crate::mock::credentials::Authentication;
use crate::mock::evidence::ClientOrigin;
use crate::mock::state::{Mock, lock};

/// A client that is registered, or whose document was read before.
pub(crate) fn known(mock: &Mock, client_id: &str) -> Option<Client> {
    lock(&mock.clients).get(client_id).cloned()
}

/// Finds a client; where its id is a URL, its document is read, every time anew.
pub(crate) async fn find(mock: &Mock, client_id: &str) -> Result<Client, String> {
    let unknown = || Err("This client is not registered.".to_owned());
    let url = match Url::parse(client_id) {
        Ok(url) if mock.plan.client_documents && matches!(url.scheme(), "http" | "https") => url,
        _ => return known(mock, client_id).map_or_else(unknown, Ok),
    };
    if !is_client_id(client_id, &url) {
        return Err("This URL cannot be a client id.".into());
    }
    let document = fetch(url).await.map_err(|problem| {
        format!("The document that the client id names cannot be used: {problem}.")
    })?;
    let client = read(&document, client_id).map_err(|problem| {
        format!("The document that the client id names is not acceptable: {problem}.")
    })?;
    if lock(&mock.clients).insert(client_id.to_owned(), client.clone()).is_none() {
        mock.meet(ClientOrigin::Document, client_id, &client);
    }
    Ok(client)
}

/// Section 3 of the draft: `https`, a path, no dot segments, no fragment, no credentials. The mock
/// takes `http` on loopback, too: nobody has a certificate for a test.
fn is_client_id(text: &str, url: &Url) -> bool {
    let path = text.splitn(4, '/').nth(3).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    is_plain(url)
        && (url.scheme() == "https" || is_loopback(url))
        && !path.is_empty()
        && !path.split('/').any(|it| matches!(it, "." | ".."))
}

/// Asks for a page as a browser would, and does not care for the answer.
pub(crate) async fn visit(url: Url) {
    if let Ok(client) = client() {
        client.get(url).send().await.ok();
    }
}

fn client() -> Result<reqwest::Client, String> {
    // Another copy of it may be there already.
    rustls::crypto::ring::default_provider().install_default().ok();
    // No proxy: the document may be on loopback. No redirects: section 4 of the draft.
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|_| "there is no HTTP client".into())
}

async fn fetch(url: Url) -> Result<Vec<u8>, String> {
    let request = client()?.get(url).header(header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(|_| "it cannot be fetched")?;
    if response.status() != 200 {
        return Err(format!("its status is {}", response.status().as_u16()));
    }
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| "it breaks off")? {
        document.extend(chunk);
        if MAX_DOCUMENT < document.len() {
            return Err("it is longer than 5 KB".into());
        }
    }
    Ok(document)
}

#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    client_secret: Option<Value>,
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    jwks: Value,
}

fn read(document: &[u8], client_id: &str) -> Result<Client, String> {
    let it: Document = serde_json::from_slice(document)
        .map_err(|_| "expected a JSON object with client metadata")?;
    if it.client_id != client_id {
        return Err("its `client_id` is not its URL".into());
    }
    let method = it.token_endpoint_auth_method.as_deref().unwrap_or("none");
    // Section 4.1: everybody can read the document, so there is no secret to share.
    if it.client_secret.is_some() || method.starts_with("client_secret") {
        return Err("it must not speak of a client secret".into());
    }
    let name = it.client_name.filter(|it| !it.is_empty()).ok_or("it lacks `client_name`")?;
    if it.redirect_uris.is_empty() || !it.redirect_uris.iter().all(|it| is_redirect_uri(it)) {
        return Err("expected `redirect_uris` with https, or with http on loopback".into());
    }
    let grant_types = it.grant_types.unwrap_or_else(|| vec!["authorization_code".into()]);
    Ok(Client {
        name,
        redirect_uris: it.redirect_uris,
        refreshes: grant_types.iter().any(|it| it == "refresh_token"),
        authentication: Authentication::read(method, None, &it.jwks)?,
        machine_of: None,
    })
}

/// Section 6.6 of the draft recommends this limit.
const MAX_DOCUMENT: usize = 5 << 10;

/// A person waits in front of the browser.
const PATIENCE: Duration = Duration::from_secs(5);
