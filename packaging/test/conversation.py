#!/usr/bin/env python3
"""Starts a program as an MCP client does, and talks with it.

    packaging/test/conversation.py [--mock PROGRAM] [--env NAME=VALUE]... -- COMMAND...

`{url}` and `{key}` in the command, and in a value, stand for the address of the mock gateway and an
API key. The program has to answer `initialize` and `tools/list`, to write nothing else, and to end with 0 when its
input closes. It gets an API key, and of this environment only what the SDKs pass on.
"""

import argparse
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOCK = ROOT / "target/debug/apexmcp-mock-gateway"
# What the TypeScript SDK passes on, on Unix and on Windows, but where the user's files are.
INHERITED = (
    ("PATH", "PROCESSOR_ARCHITECTURE", "PROGRAMFILES", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME")
    if os.name == "nt"
    else ("LOGNAME", "PATH", "SHELL", "TERM", "USER")
)
HOMES = ("APPDATA", "LOCALAPPDATA", "USERPROFILE") if os.name == "nt" else ("HOME",)

# `npx` and emulators are slow starters, and how fast the bridge ends is tested elsewhere.
ANSWER_SECONDS = 60
GOODBYE_SECONDS = 15


class Failure(Exception):
    """What went wrong, for a person."""


class Mock:
    """The gateway, for as long as the block lasts."""

    def __init__(self, program=MOCK):
        self._program = program

    def __enter__(self):
        self._process = subprocess.Popen(
            [self._program, "--until-stdin-closes"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        ready = json.loads(self._process.stdout.readline())
        self.url = ready["sse"]["acme"]
        self.key = ready["api_keys"]["acme"]
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


class Program:
    """The program under test; what it wrote, line by line."""

    def __init__(self, command, environment, home):
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.process = subprocess.Popen(
            command, env=kept | dict.fromkeys(HOMES, home) | environment, cwd=home,
            start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._lines = queue.Queue()
        self.stderr = []
        self._threads = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_stdout(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_stderr(self):
        for line in self.process.stderr:
            self.stderr.append(line.decode(errors="replace"))

    def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, number):
        """The answer to a request; anything that is no JSON-RPC is a failure."""
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(end - time.monotonic(), 0))
            except queue.Empty:
                raise Failure(f"no answer to request {number} in {ANSWER_SECONDS} s") from None
            if line is None:
                raise Failure(f"the program ended before it answered request {number}")
            try:
                message = json.loads(line)
            except ValueError:
                raise Failure(f"this is no JSON: {line!r}") from None
            if message.get("id") == number:
                if "result" not in message:
                    raise Failure(f"request {number} got an error: {message}")
                return message["result"]

    def end(self):
        """Closes its input, and waits; its exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {GOODBYE_SECONDS} s after its input closed") from None

    def kill(self):
        """It, and on Unix whatever it has started."""
        if os.name == "nt":
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def handshake(program):
    """`initialize` and `tools/list`; the names of the tools."""
    client = {"name": "packaging", "version": "1"}
    parameters = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    program.say({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters})
    program.answer(1)
    program.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    program.say({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    return [tool["name"] for tool in program.answer(2)["tools"]]


def converse(command, environment=None, mock=MOCK):
    """A whole session; the names of the tools. The key can be taken away by an empty value."""
    with Mock(mock) as gateway, tempfile.TemporaryDirectory() as home:
        def filled(text):
            return text.replace("{url}", gateway.url).replace("{key}", gateway.key)

        given = {"APEXMCP_API_KEY": gateway.key} | (environment or {})
        given = {name: filled(value) for name, value in given.items()}
        program = Program([filled(word) for word in command], given, home)
        try:
            tools = handshake(program)
            if not tools:
                raise Failure("there are no tools")
            status = program.end()
            if status != 0:
                raise Failure(f"it ended with {status}")
            return tools
        except Failure as failure:
            raise Failure(f"{failure}\n{''.join(program.stderr)}") from None
        finally:
            program.kill()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mock", type=Path, default=MOCK, metavar="PROGRAM")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    environment = dict(it.split("=", 1) for it in arguments.env)
    program, *rest = arguments.command
    # It is started in another folder, as hosts do.
    command = [os.path.abspath(program) if "/" in program else program, *rest]
    try:
        tools = converse(command, environment, arguments.mock)
    except Failure as failure:
        sys.exit(f"conversation.py: {failure}")
    print(f"initialize and tools/list through {arguments.command[0]}: {len(tools)} tools")


if __name__ == "__main__":
    main()
