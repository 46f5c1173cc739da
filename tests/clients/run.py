#!/usr/bin/env python3
"""Real MCP clients sign in to the mock gateway, without a flag that makes it easier for them.

    tests/clients/run.py [--client NAME]... [--table FILE] -- GATEWAY

Every client gets a mock of its own, begins with nothing but the URL of an endpoint, and has to find
the rest. Where it opens a browser, `approve.mjs` signs in and approves on the real pages. Then it
lists the tools, calls one, and calls it again when its access token has expired. At last the mock
is asked what it has seen. The clients are what `node/package-lock.json` and the requirements of
`tests/peers/python` pin. All traffic stays on loopback, and every process that is started here is
ended here.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node/node_modules"
PYTHON = HERE.parent / "peers/python/.venv/bin/python"
# The inspector needs Node.js 22, which the conformance suite brings along.
PINNED_NODE = HERE.parent / "conformance/node_modules/.bin/node"
NODE = str(PINNED_NODE) if PINNED_NODE.exists() else "node"

STEPS = ("sign-in", "tools", "call", "renewal")
CLIENT_SECONDS = 90
LINE_SECONDS = 60


class Failure(Exception):
    pass


class Mock:
    """A mock gateway, and what it testifies."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "--port", "0", "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]},
        )
        self.ready = json.loads(self.process.stdout.readline())

    def control(self, path, body=None):
        request = urllib.request.Request(
            f"{self.ready['control']['url']}/{path}",
            data=body,
            headers={"Authorization": f"Bearer {self.ready['control']['token']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def told(self, path):
        return json.loads(self.control(path))

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


def environment(mock, home):
    return {
        "PATH": f"{Path(NODE).parent if PINNED_NODE.exists() else ''}:{os.environ['PATH']}".strip(":"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        # What programs on Linux start instead of a browser.
        "BROWSER": str(HERE / "approve.mjs"),
        # The inspector opens browsers for those who sit at a terminal, and for those who say so.
        "MCP_AUTO_OPEN_ENABLED": "true",
        # Between its processes there is no keychain here.
        "MCP_INSPECTOR_SECRET_STORE": "file",
        "MOCK_CONTROL": json.dumps(mock.ready["control"]),
        "MOCK_NODE": NODE,
    }


@contextlib.contextmanager
def running(command, mock, home, **pipes):
    errors = open(home / "stderr", "a+b")
    process = subprocess.Popen(
        [str(it) for it in command], env=environment(mock, home), stderr=errors, cwd=home, **pipes
    )
    try:
        yield process
    except Exception as error:
        errors.seek(0)
        raise Failure(f"{error}; stderr: {errors.read()[-2000:].decode()}") from error
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        errors.close()


def lines(stream):
    """Lines of a stream, with patience: `get` of the queue raises `Empty` at the end of it."""
    queue = Queue()

    def read():
        for line in stream:
            queue.put(line)
        queue.put(None)

    threading.Thread(target=read, daemon=True).start()
    return queue


# --- The ways to drive a client; each yields its steps as they are done


def driver(*command):
    """A program that uses an SDK, and prints a line for every step."""

    def drive(mock, url, home):
        with running([*command, url], mock, home, stdout=subprocess.PIPE) as process:
            queue = lines(process.stdout)
            while (line := queue.get(timeout=LINE_SECONDS)) is not None:
                yield json.loads(line)["step"]
            if process.wait(10) != 0:
                raise Failure(f"it ended with status {process.returncode}")

    return drive


def mcp_remote(mock, url, home):
    """The bridge that people use today: a host's side of stdio."""
    command = [NODE, MODULES / "mcp-remote/dist/proxy.js", url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(command, mock, home, **pipes) as process:
        queue = lines(process.stdout)

        def ask(number, method, params):
            say({"id": number, "method": method, "params": params})
            while (line := queue.get(timeout=LINE_SECONDS)) is not None:
                message = json.loads(line)
                if message.get("id") == number and "method" not in message:
                    if "error" in message:
                        raise Failure(f"{method}: {message['error']}")
                    return message["result"]
            raise Failure(f"it ended before it answered {method}")

        def say(message):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()

        def echo(number):
            result = ask(number, "tools/call", {"name": "echo", "arguments": {"text": "hello"}})
            if result["content"][0]["text"] != "hello":
                raise Failure(f"echo: {result}")

        host = {"name": "host", "version": "1"}
        ask(0, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": host})
        yield "sign-in"
        say({"method": "notifications/initialized"})
        check_tools(ask(1, "tools/list", {}))
        yield "tools"
        echo(2)
        yield "call"
        mock.control("act", b"expire_access_tokens")
        echo(3)
        yield "renewal"


def inspector(mock, url, home):
    """The inspector's command line: a process for every request, and a store between them."""

    def run(method, *arguments):
        launcher = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        command = [NODE, launcher, "--cli", "--server-url", url, "--method", method]
        command += ["--callback-url", "http://127.0.0.1:0/oauth/callback"]
        command += ["--transport", "sse" if url.endswith("/sse") else "http", *arguments]
        with running(command, mock, home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            try:
                output, _ = process.communicate(timeout=LINE_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failure(f"{method} takes too long") from None
            if process.returncode != 0:
                raise Failure(f"{method} ended with status {process.returncode}")
            # The JSON is after what it has to say otherwise.
            return json.loads(output[output.index(b"{"):])

    tools = run("tools/list")
    yield "sign-in"
    check_tools(tools)
    yield "tools"
    echo = ("tools/call", "--tool-name", "echo", "--tool-arg", "text=hello")
    if run(*echo)["content"][0]["text"] != "hello":
        raise Failure("echo")
    yield "call"
    mock.control("act", b"expire_access_tokens")
    run(*echo)
    yield "renewal"


def check_tools(result):
    if "query_postgres_orders" not in [tool["name"] for tool in result["tools"]]:
        raise Failure(f"tools/list: {result}")


@dataclass(frozen=True)
class Client:
    name: str
    endpoint: str
    drive: object


CLIENTS = (
    Client("TypeScript SDK 1.x", "http", driver(NODE, HERE / "node/sdk-v1.mjs")),
    Client("TypeScript SDK 1.x", "sse", driver(NODE, HERE / "node/sdk-v1.mjs")),
    Client("TypeScript SDK 2.x", "http", driver(NODE, HERE / "node/sdk-v2.mjs")),
    Client("Python SDK 2.x", "http", driver(PYTHON, HERE / "sdk.py")),
    Client("mcp-remote 0.15.1", "http", mcp_remote),
    Client("mcp-remote 0.15.1", "sse", mcp_remote),
    Client("MCP Inspector CLI 2.12", "http", inspector),
    Client("MCP Inspector CLI 2.12", "sse", inspector),
)


def evidence(mock):
    """What the mock has seen; a client that did not go the whole way is told from one that did."""
    clients, tokens = mock.told("clients"), mock.told("tokens")
    if len(clients) != 1 or clients[0]["origin"] != "registration":
        raise Failure(f"clients: {clients}")
    # The first came with the sign-in, and was exchanged once for the second.
    uses = [len(it["presented"]) for it in tokens]
    if uses != [1, 0] or tokens[1]["parent"] != tokens[0]["token"]:
        raise Failure(f"refresh tokens: {tokens}")


def run(program, client):
    done = []
    mock = Mock(program)
    try:
        with tempfile.TemporaryDirectory(prefix="apexmcp-client-") as home:
            for step in client.drive(mock, mock.ready[client.endpoint]["acme"], Path(home)):
                done.append(step)
        if tuple(done) != STEPS:
            raise Failure(f"it stopped after {done}")
        evidence(mock)
        return done, None
    except (Failure, Empty, OSError, ValueError) as error:
        return done, f"{type(error).__name__}: {error}"
    finally:
        mock.end()


def table(results):
    rows = [("client", "endpoint", *STEPS)]
    for client, done, _ in results:
        rows.append((client.name, client.endpoint, *("yes" if it in done else "no" for it in STEPS)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--client", action="append", help="only clients with this in their names")
    parser.add_argument("--table", type=Path, help="where the result is left, too")
    parser.add_argument("gateway", help="the program of the mock gateway")
    options = parser.parse_args()
    wanted = options.client or [""]
    gateway = str(Path(options.gateway).resolve())
    results = [
        (client, *run(gateway, client))
        for client in CLIENTS
        if any(it.lower() in client.name.lower() for it in wanted)
    ]
    text = table(results)
    print(text)
    if options.table:
        options.table.write_text(text + "\n")
    for client, _, problem in results:
        if problem:
            print(f"\n{client.name}, {client.endpoint}: {problem}")
    return 1 if not results or any(problem for _, _, problem in results) else 0


if __name__ == "__main__":
    sys.exit(main())
