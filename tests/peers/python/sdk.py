"""A session with the Python SDK 2.x; the same steps as `node/steps.mjs`.

    python sdk.py [--negotiate legacy|auto] -- COMMAND [ARGUMENT...]

COMMAND is the bridge, and its first ARGUMENT the URL of the server.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import anyio
import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters, stdio_client

WATCH = Path(__file__).resolve().parent.parent / "watch.sh"
STEP_SECONDS = 20

TOOLS = {
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-roots-list",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-elicitation-request",
    "trigger-long-running-operation",
    "trigger-sampling-request",
    "trigger-url-elicitation",
}
PROMPTS = {"args-prompt", "completable-prompt", "resource-prompt", "simple-prompt"}
DOCUMENT = "demo://resource/static/document/features.md"
DYNAMIC = "demo://resource/dynamic/text/7"
# Two, three and four bytes in UTF-8, a separator that looks like a line end, and escapes.
AWKWARD = 'na\u00efve \u65e5\u672c\u8a9e \U0001f980 \u2028 "quoted" \\ tab\t line\nend\0'
SIGN_IN = "https://sign-in.example/start?state=a%2Fb&scope=x+y"


class Unmet(Exception):
    """An expectation that did not hold."""


def expect(what, got, expected):
    if got != expected:
        raise Unmet(f"{what}: expected {expected!r}, got {got!r}")


def expect_that(what, holds, got):
    if not holds:
        raise Unmet(f"{what}: expected it to hold, got {got!r}")


def is_question(message):
    """Whether a message is a result by which the server asks something."""
    result = getattr(message, "result", None)
    return isinstance(result, dict) and result.get("resultType") == "input_required"


async def until(condition):
    """Waits until `condition` gives a true value, and returns it; the step's limit bounds it."""
    while not (value := condition()):
        await anyio.sleep(0.01)
    return value


def leaves(error):
    """The errors that an SDK's task groups have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def fail(name, reason):
    """Says which step failed and why, and leaves: past the SDK's task groups and their errors."""
    print(f"not ok {name}")
    print("  " + reason.rstrip().replace("\n", "\n  "), flush=True)
    end_processes()
    os._exit(1)


@contextlib.contextmanager
def step(name):
    """Bounds one step, and says how it ended.

    A timer, not a cancel scope: the SDK's own scopes begin in one step and end in another.
    """
    reason = f"no end after {STEP_SECONDS} s"
    timer = asyncio.get_running_loop().call_later(STEP_SECONDS, fail, name, reason)
    try:
        yield
    except Unmet as error:
        fail(name, str(error))
    except Exception as error:
        lines = [line for leaf in leaves(error) for line in traceback.format_exception_only(leaf)]
        fail(name, "".join(lines))
    finally:
        timer.cancel()
    print(f"ok {name}", flush=True)


class Traced:
    """The stream from the bridge; notes every message in the order of the wire."""

    def __init__(self, stream, wire):
        self._stream = stream
        self._wire = wire

    def __getattr__(self, name):
        return getattr(self._stream, name)

    async def receive(self):
        item = await self._stream.receive()
        self._wire.append(item)
        return item

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self._stream.__anext__()
        self._wire.append(item)
        return item

    async def __aenter__(self):
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error):
        return await self._stream.__aexit__(*error)


@contextlib.asynccontextmanager
async def traced(parameters, wire):
    async with stdio_client(parameters) as (read, write):
        yield Traced(read, wire), write


class Host:
    """The client's side of what a server may ask: answers, and notes the questions."""

    def __init__(self):
        self.roots = [types.Root(uri="file:///peers/one", name="one")]
        self.sampled = []
        self.elicited = []
        self.roots_asked = 0
        self.logs = []
        self.updates = []

    async def sampling(self, _context, params):
        self.sampled.append(params)
        content = types.TextContent(type="text", text="an answer from the host \u2713")
        return types.CreateMessageResult(
            model="peer-model", role="assistant", stop_reason="endTurn", content=content
        )

    async def elicitation(self, _context, params):
        self.elicited.append(params)
        if params.mode == "url":
            return types.ElicitResult(action="accept")
        return types.ElicitResult(
            action="accept", content={"name": "Ren\u00e9e", "check": True, "integer": 7}
        )

    async def list_roots(self, _context):
        self.roots_asked += 1
        return types.ListRootsResult(roots=self.roots)

    async def logging(self, params):
        self.logs.append(params.data)

    async def message(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updates.append(str(message.params.uri))


def text(result):
    return "\n".join(getattr(block, "text", "") for block in result.content)


directory = Path(tempfile.mkdtemp(prefix="peers-"))


def read_number(path):
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def statuses():
    return [read_number(path) for path in directory.glob("*.exit")]


def running():
    return [
        read_number(path)
        for path in directory.glob("*.child")
        if not path.with_suffix(".exit").exists()
    ]


def end_processes():
    """Ends what a failed run left behind."""
    for process in running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    end = time.monotonic() + 2
    while running() and time.monotonic() < end:
        time.sleep(0.01)
    shutil.rmtree(directory, ignore_errors=True)


async def session(parameters, negotiate):
    host = Host()
    wire = []
    client = Client(
        traced(parameters, wire),
        client_info=types.Implementation(name="peer-sdk-python", version="1.0.0"),
        mode=negotiate,
        sampling_callback=host.sampling,
        elicitation_callback=host.elicitation,
        list_roots_callback=host.list_roots,
        logging_callback=host.logging,
        message_handler=host.message,
    )

    async def call(name, arguments=None, **options):
        return await client.call_tool(name, arguments or {}, **options)

    with step("initialize"):
        await client.__aenter__()
        expect("name", client.server_info.name, "mcp-servers/everything")
        expect_that("instructions", client.instructions, client.instructions)
        offered = client.server_capabilities
        wanted = offered.logging is not None and offered.prompts and offered.tools
        expect_that("capabilities", wanted and offered.resources.subscribe, offered)

    with step("list tools"):
        # The server adds the tools for this client's capabilities when `initialized` comes: one
        # that overtakes it gets a short list.
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        expect("missing tools", TOOLS - tools.keys(), set())
        expect("input of echo", tools["echo"].input_schema["required"], ["message"])

    with step("echo"):
        expect("echo", text(await call("echo", {"message": AWKWARD})), f"Echo: {AWKWARD}")

    with step("echo a megabyte"):
        message = "0123456789abcde\u00e9" * (1 << 16)
        answer = text(await call("echo", {"message": message}))
        expect_that("echo", answer == f"Echo: {message}", f"{len(answer)} characters")

    with step("structured content"):
        result = await call("get-structured-content", {"location": "Chicago"})
        expected = {"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82}
        expect("weather", result.structured_content, expected)

    with step("progress"):
        seen = []

        async def note(progress, total, _message):
            seen.append((progress, total))

        async def run():
            seen.clear()
            return await call(
                "trigger-long-running-operation",
                {"duration": 1, "steps": 5},
                progress_callback=note,
            )

        start = len(wire)
        result = await run()
        # Once in its life the server asks for the roots. Where questions are results, this may be
        # in the middle of the call, and what comes between the question and its answer is for
        # nobody.
        if any(is_question(item.message) for item in wire[start:]):
            start = len(wire)
            result = await run()
        expect_that("result", "Steps: 5" in text(result), text(result))
        order = []
        for message in (item.message for item in wire[start:]):
            if isinstance(message, types.JSONRPCResponse):
                order.append("result")
            elif getattr(message, "method", "") == "notifications/progress":
                order.append(message.params["progress"])
        expect("order on the wire", order, [1, 2, 3, 4, 5, "result"])
        # The SDK runs the callbacks as tasks of their own: the result may overtake the last.
        await until(lambda: len(seen) == 5)
        expect("progress", sorted(seen), [(n, 5) for n in (1, 2, 3, 4, 5)])

    with step("calls side by side"):
        sums = {}

        async def add(n):
            sums[n] = text(await call("get-sum", {"a": n, "b": 0.5}))

        async def slow():
            arguments = {"duration": 1, "steps": 2}
            sums["slow"] = text(await call("trigger-long-running-operation", arguments))

        async with anyio.create_task_group() as group:
            group.start_soon(slow)
            for n in range(16):
                group.start_soon(add, n)
        expect_that("slow call", "completed" in sums.pop("slow"), sums)
        expected = {n: f"The sum of {n} and 0.5 is {n + 0.5}." for n in range(16)}
        expect("sums", sums, expected)

    with step("cancel a call"):
        scope = anyio.CancelScope()

        async def enough(_progress, _total, _message):
            scope.cancel()

        with scope:
            arguments = {"duration": 20, "steps": 100}
            await call("trigger-long-running-operation", arguments, progress_callback=enough)
        expect("cancelled", scope.cancelled_caught, True)
        answer = text(await call("echo", {"message": "still here"}))
        expect("echo after it", answer, "Echo: still here")

    with step("resources"):
        listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
        expect_that("document", DOCUMENT in listed, listed)
        [document] = (await client.read_resource(DOCUMENT)).contents
        expect("kind", document.mime_type, "text/markdown")
        expect_that("text", len(document.text) > 100, document.text)
        templates = (await client.list_resource_templates()).resource_templates
        expected = [f"demo://resource/dynamic/{kind}/{{resourceId}}" for kind in ("blob", "text")]
        expect("templates", sorted(template.uri_template for template in templates), expected)
        [dynamic] = (await client.read_resource(DYNAMIC)).contents
        expect_that("template", dynamic.text.startswith("Resource 7: "), dynamic)
        [blob] = (await client.read_resource("demo://resource/dynamic/blob/7")).contents
        expect_that("blob", base64.b64decode(blob.blob).startswith(b"Resource 7: "), blob)

    with step("prompts"):
        expect(
            "prompts", {prompt.name for prompt in (await client.list_prompts()).prompts}, PROMPTS
        )
        prompt = await client.get_prompt("args-prompt", {"city": "K\u00f6ln", "state": "NRW"})
        [message] = prompt.messages
        expect("message", message.content.text, "What's weather in K\u00f6ln, NRW?")

    with step("completion"):
        reference = types.PromptReference(type="ref/prompt", name="completable-prompt")
        argument = {"name": "name", "value": ""}
        result = await client.complete(reference, argument, {"department": "Sales"})
        expect("values", result.completion.values, ["David", "Eve", "Frank"])

    with step("an error of the server"):
        try:
            raise Unmet(f"expected an error, got {await client.get_prompt('no-such-prompt')!r}")
        except MCPError as error:
            expect("code", error.code, -32602)
            expect_that("message", "no-such-prompt not found" in error.message, error.message)

    # From 2026-07-28 on nothing is set for a session, and a host is asked in the course of calls.
    sessionless = client.protocol_version >= "2026-07-28"

    if not sessionless:
        with step("logging"):
            await client.set_logging_level("debug")
            start = len(host.logs)
            await call("toggle-simulated-logging")
            await until(lambda: any("level" in str(log) for log in host.logs[start:]))
            stopped = text(await call("toggle-simulated-logging"))
            expect_that("stopped", stopped.startswith("Stopped"), stopped)

    with step("subscription"):
        if sessionless:
            async with client.listen(resource_subscriptions=[DYNAMIC]) as updates:
                await call("toggle-subscriber-updates")
                expect("updated", str((await anext(updates)).uri), DYNAMIC)
                await call("toggle-subscriber-updates")
        else:
            await client.subscribe_resource(DYNAMIC)
            await call("toggle-subscriber-updates")
            await until(lambda: host.updates)
            expect("updated", host.updates[0], DYNAMIC)
            await call("toggle-subscriber-updates")
            await client.unsubscribe_resource(DYNAMIC)

    if not sessionless:
        with step("roots"):
            # The server asks a third of a second after `initialized`, outside of any call.
            await until(lambda: host.roots_asked >= 1)
            await until(lambda: "Roots updated: 1 root(s) received from client" in host.logs)
            listed = text(await call("get-roots-list"))
            expect_that("list", "URI: file:///peers/one" in listed, listed)
            host.roots.append(types.Root(uri="file:///peers/two", name="two"))
            await client.send_roots_list_changed()
            await until(lambda: "Roots updated: 2 root(s) received from client" in host.logs)
            listed = text(await call("get-roots-list"))
            expect_that("longer list", "URI: file:///peers/two" in listed, listed)

    with step("sampling"):
        result = text(await call("trigger-sampling-request", {"prompt": "why?", "maxTokens": 17}))
        [question] = host.sampled
        expect("limit", question.max_tokens, 17)
        [message] = question.messages
        expect("question", message.content.text, "Resource trigger-sampling-request context: why?")
        expect_that("answer", "an answer from the host \u2713" in result, result)

    with step("elicitation"):
        result = text(await call("trigger-elicitation-request"))
        [question] = host.elicited
        expect("schema", question.requested_schema["required"], ["name"])
        expect_that("name", "- Name: Ren\u00e9e" in result, result)
        expect_that("number", "- Favorite Integer: 7" in result, result)

    with step("elicitation by URL"):
        arguments = {"url": SIGN_IN, "elicitationId": "e-1"}
        result = text(await call("trigger-url-elicitation", arguments))
        question = host.elicited[1]
        got = (question.mode, question.url, question.elicitation_id)
        # It is no part of 2026-07-28.
        expect("question", got, ("url", SIGN_IN, None if sessionless else "e-1"))
        expect_that("answer", f"URL: {SIGN_IN}" in result, result)

    if not sessionless:
        with step("ping"):
            await client.send_ping()

    with step("close"):
        start = time.monotonic()
        await client.__aexit__(None, None, None)
        await until(lambda: not running())
        seconds = time.monotonic() - start
        expect("exit status", statuses(), [0])
        expect_that("end within 2 s", seconds < 2, seconds)


def command_line(session, negotiate):
    """Reads the command line and runs `session`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--negotiate", choices=negotiate, default=negotiate[0])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    # The SDK marks what left the protocol in 2026; servers of 2025 still use it.
    warnings.simplefilter("ignore")
    arguments = [str(directory), *options.command]
    parameters = StdioServerParameters(command=str(WATCH), args=arguments)
    try:
        anyio.run(session, parameters, options.negotiate)
    finally:
        end_processes()


if __name__ == "__main__":
    command_line(session, ("legacy", "auto"))
