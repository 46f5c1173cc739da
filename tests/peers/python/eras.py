"""What a host of one era does with a server of any: the Python SDK 2.x, pinned to the era.

    python eras.py --negotiate legacy|2026-07-28 -- BRIDGE URL [ARGUMENT...]

The same steps as `../node/eras.mjs`, in the same order. Change both.
"""

import anyio
import mcp_types as types
from mcp import Client, MCPError
from sdk import (
    command_line,
    expect,
    expect_that,
    running,
    statuses,
    step,
    text,
    traced,
    until,
)

MODERN = "2026-07-28"
NOTE = "peer://note"
AWKWARD = " na\u00efve \u65e5\u672c\u8a9e\r\n\U0001f980 "
ADDRESS = "https://sign-in.example/?a=%2Fb"
TOOLS = ["ask", "cancelled", "change", "count", "echo", "log", "visit", "wait"]
LOG_LEVEL = "io.modelcontextprotocol/logLevel"


class Host:
    """The client's side of what a server may ask and tell; notes all of it."""

    def __init__(self):
        self.asked = []
        self.logs = []
        self.updates = []
        self.lists = 0

    async def sampling(self, _context, params):
        self.asked.append(("sampling", params.max_tokens))
        content = types.TextContent(type="text", text="because \u2713")
        return types.CreateMessageResult(
            model="peer-model", role="assistant", stop_reason="endTurn", content=content
        )

    async def elicitation(self, _context, params):
        self.asked.append(("elicitation", params.message))
        if params.mode == "url":
            self.asked.append(("address", params.url))
            return types.ElicitResult(action="accept")
        return types.ElicitResult(action="accept", content={"name": "Ren\u00e9e"})

    async def logging(self, params):
        self.logs.append(params.level)

    async def message(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updates.append(str(message.params.uri))
        if isinstance(message, types.ToolListChangedNotification):
            self.lists += 1


def outcome(message):
    """What a message is in the order of the wire: a step of progress, or a result."""
    if isinstance(message, types.JSONRPCResponse):
        return "result"
    if getattr(message, "method", "") == "notifications/progress":
        return message.params["progress"]
    return None


async def session(parameters, negotiate):
    modern = negotiate == MODERN
    host = Host()
    wire = []
    client = Client(
        traced(parameters, wire),
        client_info=types.Implementation(name="peer-eras", version="1.0.0"),
        mode=negotiate,
        sampling_callback=host.sampling,
        elicitation_callback=host.elicitation,
        logging_callback=host.logging,
        message_handler=host.message,
        # What the host has asked before would be answered by itself.
        cache=None,
    )

    async def call(name, arguments=None, **options):
        return await client.call_tool(name, arguments or {}, **options)

    with step("open"):
        await client.__aenter__()
        expect("version", client.protocol_version, MODERN if modern else "2025-11-25")
        # With a pinned version the SDK does not ask who the server is.
        if not modern:
            expect_that("name", client.server_info.name.startswith("peer-"), client.server_info)
            expect("instructions", client.instructions, "Be kind.")

    with step("call what was not listed"):
        # Where the server is a modern one, this has to be in a header, which only the list tells.
        expect("echo", text(await call("echo", {"text": AWKWARD})), AWKWARD)

    with step("list"):
        names = sorted(tool.name for tool in (await client.list_tools()).tools)
        expect("tools", names, TOOLS)
        listed = [str(resource.uri) for resource in (await client.list_resources()).resources]
        expect("resources", listed, [NOTE])
        expect("note", (await client.read_resource(NOTE)).contents[0].text, "a note")
        expect("echo", text(await call("echo", {"text": AWKWARD})), AWKWARD)

    with step("progress"):
        start = len(wire)
        seen = []

        async def note(progress, _total, _message):
            seen.append(progress)

        result = await call("count", {"steps": 5}, progress_callback=note)
        expect("result", text(result), "counted to 5")
        order = [outcome(item.message) for item in wire[start:]]
        order = [entry for entry in order if entry is not None]
        expect("order on the wire", order, [1, 2, 3, 4, 5, "result"])
        # The SDK runs the callbacks as tasks of their own: the result may overtake the last.
        await until(lambda: len(seen) == 5)
        expect("progress", sorted(seen), [1, 2, 3, 4, 5])

    with step("elicitation"):
        result = await call("ask", {"what": "elicitation"})
        expect("result", text(result), "the host said Ren\u00e9e")
        expect("asked", host.asked, [("elicitation", "Who are you?")])
        host.asked.clear()

    with step("sampling"):
        result = await call("ask", {"what": "sampling"})
        expect("result", text(result), "the host said because \u2713")
        expect("asked", host.asked, [("sampling", 17)])
        host.asked.clear()

    with step("address"):
        # Where both are legacy, the server refuses the call and names the address.
        try:
            result = await call("visit")
        except MCPError as error:
            expect("code", error.code, -32042)
            address = error.data["elicitations"][0]["url"]
            host.asked += [("elicitation", "Sign in."), ("address", address)]
            result = await call("visit")
        expect("result", text(result), "visited")
        expect("asked", host.asked, [("elicitation", "Sign in."), ("address", ADDRESS)])

    with step("subscription"):
        if modern:
            async with client.listen(
                tools_list_changed=True, resource_subscriptions=[NOTE]
            ) as events:
                await call("change")
                kinds = {type(await anext(events)).__name__ for _ in range(2)}
                expect("events", kinds, {"ToolsListChanged", "ResourceUpdated"})
        else:
            await client.subscribe_resource(NOTE)
            await call("change")
            await until(lambda: host.updates and host.lists)
            expect("updated", host.updates[0], NOTE)
            await client.unsubscribe_resource(NOTE)

    with step("cancellation"):
        before = int(text(await call("cancelled")))
        # It has to be there before it can be cancelled there.
        with anyio.move_on_after(0.3) as scope:
            await call("wait")
        expect("cancelled", scope.cancelled_caught, True)
        while (now := int(text(await call("cancelled")))) != before + 1:
            expect("cancelled there", now, before)
            await anyio.sleep(0.05)

    with step("log level"):
        for level, expected in (("error", ["error"]), ("debug", ["debug", "error"])):
            host.logs.clear()
            if not modern:
                await client.set_logging_level(level)
            await call("log", meta={LOG_LEVEL: level} if modern else None)
            await until(lambda: "error" in host.logs)
            expect(f"at {level}", sorted(host.logs), expected)

    with step("close"):
        await client.__aexit__(None, None, None)
        expect("exit status", await until(statuses), [0])
        expect("processes left", running(), [])


if __name__ == "__main__":
    command_line(session, ("legacy", MODERN))
