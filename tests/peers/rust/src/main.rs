//! A server of rmcp that does what `../node/server.mjs` and `../python/server.py` do.
//!
//! `apexmcp-bridge-peers legacy|dual|modern`
//! prints `listening on PORT`, and ends with its stdin.

// What 2026-07-28 has deprecated is what hosts of before need.
#![allow(deprecated)]

use std::borrow::Cow;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::RoleServer;
use rmcp::ServerHandler;
use rmcp::model::*;
use rmcp::service::{Peer, RequestContext, SubscriptionContext, SubscriptionSink};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};

const NOTE: &str = "peer://note";
const ADDRESS: &str = "https://sign-in.example/?a=%2Fb";

#[derive(Clone, Copy, PartialEq)]
enum Eras {
    Legacy,
    Dual,
    Modern,
}

/// What all sessions share.
#[derive(Default)]
struct Shared {
    cancelled: AtomicUsize,
    /// Whether the host of a legacy session was told to open the address.
    told: AtomicBool,
    sinks: Mutex<Vec<SubscriptionSink>>,
    subscribers: Mutex<Vec<Peer<RoleServer>>>,
}

#[derive(Clone)]
struct Server {
    eras: Eras,
    shared: Arc<Shared>,
    level: Arc<Mutex<Option<LoggingLevel>>>,
}

fn tool(name: &'static str, properties: Value) -> Tool {
    let schema = json!({ "type": "object", "properties": properties });
    let Value::Object(schema) = schema else { unreachable!() };
    Tool::new(name, name, Arc::new(schema))
}

fn said(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text.into())]).into())
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

impl Server {
    fn is_modern(context: &RequestContext<RoleServer>) -> bool {
        context.meta.protocol_version().is_some_and(|it| it == ProtocolVersion::V_2026_07_28)
    }

    async fn count(
        &self,
        steps: u64,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(token) = context.meta.get_progress_token() else { return said("no token") };
        for step in 1..=steps {
            let progress =
                ProgressNotificationParam::new(token.clone(), step as f64).with_total(steps as f64);
            context.peer.notify_progress(progress).await.map_err(internal)?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        said(format!("counted to {steps}"))
    }

    async fn ask(
        &self,
        what: &str,
        responses: Option<&InputResponses>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let form: ElicitRequestParams = serde_json::from_value(json!({
            "mode": "form",
            "message": "Who are you?",
            "requestedSchema": {
                "type": "object",
                "properties": { "name": { "type": "string" } },
                "required": ["name"]
            }
        }))
        .map_err(internal)?;
        let question =
            CreateMessageRequestParams::new(vec![SamplingMessage::user_text("why?")], 17);
        let answer = match (what, Self::is_modern(context)) {
            ("elicitation", false) => {
                json!(context.peer.create_elicitation(form).await.map_err(internal)?)
            }
            (_, false) => json!(context.peer.create_message(question).await.map_err(internal)?),
            (what, true) => match responses.and_then(|it| it.get("it")) {
                Some(answer) => answer.clone(),
                None => {
                    let request = if what == "elicitation" {
                        InputRequest::Elicitation(ElicitRequest::new(form))
                    } else {
                        InputRequest::CreateMessage(CreateMessageRequest::new(question))
                    };
                    let requests = InputRequests::from([("it".to_owned(), request)]);
                    return Ok(
                        InputRequiredResult::new(Some(requests), Some("a state".into())).into()
                    );
                }
            },
        };
        let answer = if what == "elicitation" {
            &answer["content"]["name"]
        } else {
            &answer["content"]["text"]
        };
        said(format!("the host said {}", answer.as_str().unwrap_or_default()))
    }

    fn visit(
        &self,
        responses: Option<&InputResponses>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut address = json!({ "mode": "url", "message": "Sign in.", "url": ADDRESS });
        if Self::is_modern(context) {
            let answer = responses.and_then(|it| it.get("it"));
            if answer.is_some_and(|it| it["action"] == "accept") {
                return said("visited");
            }
            let address = serde_json::from_value(address).map_err(internal)?;
            let request = InputRequest::Elicitation(ElicitRequest::new(address));
            let requests = InputRequests::from([("it".to_owned(), request)]);
            return Ok(InputRequiredResult::from_input_requests(requests).into());
        }
        if self.shared.told.fetch_xor(true, Ordering::SeqCst) {
            return said("visited");
        }
        address["elicitationId"] = json!("e-1");
        let data = json!({ "elicitations": [address] });
        Err(ErrorData::new(ErrorCode(-32042), "Sign in.", Some(data)))
    }

    async fn change(&self) -> Result<CallToolResponse, ErrorData> {
        // The SDK acknowledges a subscription before `listen` hears of it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let sinks = self.shared.sinks.lock().unwrap().clone();
        for sink in sinks {
            let _ = sink.notify_tool_list_changed().await;
            let _ = sink.notify_resource_updated(NOTE).await;
        }
        let subscribers = self.shared.subscribers.lock().unwrap().clone();
        for peer in subscribers {
            let _ = peer.notify_tool_list_changed().await;
            let _ = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(NOTE)).await;
        }
        said("changed")
    }

    async fn log(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let level = if Self::is_modern(context) {
            context.meta.log_level()
        } else {
            *self.level.lock().unwrap()
        };
        for (severity, name) in [(LoggingLevel::Debug, "debug"), (LoggingLevel::Error, "error")] {
            if level.is_some_and(|level| place(level) <= place(severity)) {
                let message = LoggingMessageNotificationParam::new(severity, json!(name));
                context.peer.notify_logging_message(message).await.map_err(internal)?;
            }
        }
        said("logged")
    }
}

fn place(level: LoggingLevel) -> usize {
    use LoggingLevel::*;
    let levels = [Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency];
    levels.iter().position(|it| *it == level).unwrap_or_default()
}

impl ServerHandler for Server {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        let modern = ProtocolVersion::V_2026_07_28;
        Cow::Owned(match self.eras {
            Eras::Legacy => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25).to_vec(),
            Eras::Dual => ProtocolVersion::KNOWN_VERSIONS.to_vec(),
            Eras::Modern => vec![modern],
        })
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_tool_list_changed()
                .enable_resources()
                .enable_resources_subscribe()
                .enable_logging()
                .build(),
        )
        .with_server_info(Implementation::new("peer-rmcp", "1.0.0"))
        .with_instructions("Be kind.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![
            tool("echo", json!({ "text": { "type": "string", "x-mcp-header": "Text" } })),
            tool("count", json!({ "steps": { "type": "integer" } })),
            tool("ask", json!({ "what": { "type": "string" } })),
            tool("visit", json!({})),
            tool("wait", json!({})),
            tool("cancelled", json!({})),
            tool("change", json!({})),
            tool("log", json!({})),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let argument = |name: &str| arguments.get(name).cloned().unwrap_or_default();
        match request.name.as_ref() {
            "echo" => said(argument("text").as_str().unwrap_or_default()),
            "count" => self.count(argument("steps").as_u64().unwrap_or_default(), &context).await,
            "ask" => {
                let what = argument("what");
                let what = what.as_str().unwrap_or_default();
                self.ask(what, request.input_responses.as_ref(), &context).await
            }
            "visit" => self.visit(request.input_responses.as_ref(), &context),
            "wait" => {
                tokio::select! {
                    () = context.ct.cancelled() => {
                        self.shared.cancelled.fetch_add(1, Ordering::SeqCst);
                    }
                    () = tokio::time::sleep(Duration::from_secs(30)) => {}
                }
                said("waited")
            }
            "cancelled" => said(self.shared.cancelled.load(Ordering::SeqCst).to_string()),
            "change" => self.change().await,
            "log" => self.log(&context).await,
            name => Err(ErrorData::invalid_params(format!("no tool {name}"), None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(vec![Resource::new(NOTE, "note")]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(ReadResourceResult::new(vec![ResourceContents::text("a note", request.uri)]).into())
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.level.lock().unwrap() = Some(request.level);
        Ok(())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.shared.subscribers.lock().unwrap().push(context.peer);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.shared.sinks.lock().unwrap().push(context.sink().clone());
        context.cancelled().await;
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let eras = match std::env::args().nth(1).as_deref() {
        Some("legacy") => Eras::Legacy,
        Some("dual") => Eras::Dual,
        Some("modern") => Eras::Modern,
        _ => panic!("legacy, dual or modern"),
    };
    let shared = Arc::new(Shared::default());
    let new = move || Ok(Server { eras, shared: Arc::clone(&shared), level: Arc::default() });
    // A legacy session is kept where there may be one; a modern server keeps none.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(eras != Eras::Modern)
        .with_sse_keep_alive(Some(Duration::from_millis(500)));
    let service: StreamableHttpService<Server, LocalSessionManager> =
        StreamableHttpService::new(new, Arc::default(), config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap().port());
    tokio::select! {
        served = axum::serve(listener, axum::Router::new().nest_service("/mcp", service)) => {
            served.unwrap();
        }
        _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())) => {}
    }
}
