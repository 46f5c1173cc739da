"""A server of the Python SDK 2.x that does what `../node/server.mjs` and `../rust` do.

    python server.py legacy|dual|modern

prints `listening on PORT`, and ends with its standard input.
"""

import asyncio
import sys
import warnings

import mcp_types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

NOTE = "peer://note"
VERSION_HEADER = b"mcp-protocol-version"
ADDRESS = "https://sign-in.example/?a=%2Fb"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}


def tool(name, **properties):
    return types.Tool(name=name, input_schema={"type": "object", "properties": properties})


TOOLS = [
    tool("echo", text={"type": "string", "x-mcp-header": "Text"}),
    tool("count", steps={"type": "integer"}),
    tool("ask", what={"type": "string"}),
    tool("visit"),
    tool("wait"),
    tool("cancelled"),
    tool("change"),
    tool("log"),
]


def said(text):
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


class Peer:
    """What the tools do."""

    def __init__(self):
        self.bus = InMemorySubscriptionBus()
        self.cancelled = 0
        self.sessions = []
        self.level = None
        # Whether the host of a legacy session was told to open the address.
        self.told = False

    async def call(self, context, params):
        arguments = params.arguments or {}
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        match params.name:
            case "echo":
                return said(arguments["text"])
            case "count":
                steps = arguments["steps"]
                for step in range(1, steps + 1):
                    await context.session.report_progress(step, steps)
                    await asyncio.sleep(0.02)
                return said(f"counted to {steps}")
            case "ask":
                return await self.ask(context, arguments["what"], params, modern)
            case "visit":
                return self.visit(params, modern)
            case "wait":
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
                return said("waited")
            case "cancelled":
                return said(str(self.cancelled))
            case "change":
                await self.bus.publish(ToolsListChanged())
                await self.bus.publish(ResourceUpdated(uri=NOTE))
                for session in self.sessions:
                    await session.send_tool_list_changed()
                    await session.send_resource_updated(NOTE)
                return said("changed")
            case "log":
                for level in ("debug", "error"):
                    # For 2026-07-28 the SDK looks at what the request asks for.
                    told = self.level and LEVELS.index(self.level) <= LEVELS.index(level)
                    if modern or told:
                        await context.session.send_log_message(
                            level, level, related_request_id=context.request_id
                        )
                return said("logged")
        raise MCPError(types.INVALID_PARAMS, f"no tool {params.name}")

    async def ask(self, context, what, params, modern):
        question = [
            types.SamplingMessage(role="user", content=types.TextContent(type="text", text="why?"))
        ]
        if not modern:
            if what == "elicitation":
                answer = await context.session.elicit_form(
                    "Who are you?", FORM, related_request_id=context.request_id
                )
                return said(f"the host said {answer.content['name']}")
            answer = await context.session.create_message(
                question, max_tokens=17, related_request_id=context.request_id
            )
            return said(f"the host said {answer.content.text}")
        answer = (params.input_responses or {}).get("it")
        if answer is None:
            request = (
                types.ElicitRequest(
                    params=types.ElicitRequestFormParams(
                        message="Who are you?", requested_schema=FORM
                    )
                )
                if what == "elicitation"
                else types.CreateMessageRequest(
                    params=types.CreateMessageRequestParams(messages=question, max_tokens=17)
                )
            )
            return types.InputRequiredResult(
                input_requests={"it": request}, request_state="a state"
            )
        answer = answer.content["name"] if what == "elicitation" else answer.content.text
        return said(f"the host said {answer}")

    def visit(self, params, modern):
        if modern:
            answer = (params.input_responses or {}).get("it")
            if answer is None or answer.action != "accept":
                address = types.ElicitRequestURLParams(message="Sign in.", url=ADDRESS)
                return types.InputRequiredResult(
                    input_requests={"it": types.ElicitRequest(params=address)}
                )
            return said("visited")
        self.told = not self.told
        if self.told:
            address = types.ElicitRequestURLParams(
                message="Sign in.", url=ADDRESS, elicitation_id="e-1"
            )
            raise UrlElicitationRequiredError([address])
        return said("visited")

    async def list_tools(self, _context, _params):
        return types.ListToolsResult(tools=TOOLS)

    async def list_resources(self, _context, _params):
        return types.ListResourcesResult(resources=[types.Resource(uri=NOTE, name="note")])

    async def read_resource(self, _context, params):
        contents = types.TextResourceContents(uri=params.uri, text="a note")
        return types.ReadResourceResult(contents=[contents])

    async def subscribe(self, context, _params):
        self.sessions.append(context.session)
        return types.EmptyResult()

    async def unsubscribe(self, _context, _params):
        return types.EmptyResult()

    async def set_level(self, _context, params):
        self.level = params.level
        return types.EmptyResult()


class Noted(Server):
    """The SDK has no setting for what the server declares beside its handlers."""

    def create_initialization_options(self, *_arguments, **options):
        noted = NotificationOptions(tools_changed=True)
        return super().create_initialization_options(noted, **options)


def only(eras, app):
    """The SDK serves both eras by what `MCP-Protocol-Version` says, and has no setting for that.

    A legacy server does not know the header's new value, and a modern one takes no request as an
    older one: so the header decides here, and the words of refusal are the SDK's own.
    """

    async def served(scope, receive, send):
        if scope["type"] == "http":
            headers = scope["headers"]
            modern = dict(headers).get(VERSION_HEADER, b"").decode() in MODERN_PROTOCOL_VERSIONS
            if eras == "legacy" and modern:
                headers = [header for header in headers if header[0] != VERSION_HEADER]
            if eras == "modern" and not modern:
                headers = [header for header in headers if header[0] != VERSION_HEADER]
                headers.append((VERSION_HEADER, MODERN_PROTOCOL_VERSIONS[-1].encode()))
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return served


async def main(eras):
    peer = Peer()
    server = Noted(
        "peer-python",
        version="1.0.0",
        instructions="Be kind.",
        on_list_tools=peer.list_tools,
        on_call_tool=peer.call,
        on_list_resources=peer.list_resources,
        on_read_resource=peer.read_resource,
        on_subscribe_resource=peer.subscribe,
        on_unsubscribe_resource=peer.unsubscribe,
        on_set_logging_level=peer.set_level,
        on_subscriptions_listen=ListenHandler(peer.bus),
    )
    app = only(eras, server.streamable_http_app())
    serving = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on")
    )
    running = asyncio.create_task(serving.serve())
    while not serving.started:
        await asyncio.sleep(0.01)
    print(f"listening on {serving.servers[0].sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    serving.should_exit = serving.force_exit = True
    await running


if __name__ == "__main__":
    # Logging and sampling are deprecated in 2026-07-28; the hosts of before have them.
    warnings.simplefilter("ignore")
    asyncio.run(main(sys.argv[1]))
