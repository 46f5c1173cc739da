#!/usr/bin/env python3
"""Runs real MCP clients against a real MCP server, with the bridge in between.

    tests/peers/run.py [--client NAME]... [--target NAME]... [--jobs N] -- BRIDGE [ARGUMENT...]

runs `BRIDGE URL [ARGUMENT...]` many times over.

Every client (a driver of one SDK) goes through a whole session with every target (the reference
server in one of its modes, and how the bridge is told to reach it). The SDKs and the server are
what `node/package-lock.json` and `python/requirements.txt` pin; `tests/all` installs them. All
traffic stays on loopback, and every process that is started here is ended here.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE = HERE / "node"
PYTHON = HERE / "python"
SERVER = NODE / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"

SERVER_START_SECONDS = 30
DRIVER_SECONDS = 120
GOODBYE_SECONDS = 5
TOTAL_SECONDS = 600


@dataclass(frozen=True)
class Client:
    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A mode of the server, its path, and what the bridge gets besides the URL."""

    name: str
    mode: str
    path: str
    arguments: tuple[str, ...] = ()


VENV = str(PYTHON / ".venv/bin/python")
CLIENTS = (
    Client("ts-1.x", ("node", str(NODE / "sdk-v1.mjs"))),
    Client("ts-2.x", ("node", str(NODE / "sdk-v2.mjs"))),
    Client("ts-2.x-auto", ("node", str(NODE / "sdk-v2.mjs"), "--negotiate", "auto")),
    Client("python", (VENV, str(PYTHON / "sdk.py"))),
    Client("python-auto", (VENV, str(PYTHON / "sdk.py"), "--negotiate", "auto")),
)
TARGETS = (
    Target("http", "streamableHttp", "/mcp"),
    Target("sse", "sse", "/sse"),
    # The bridge begins with the wrong transport and has to notice.
    Target("http-after-sse", "streamableHttp", "/mcp", ("--transport", "sse-first")),
    Target("sse-after-http", "sse", "/sse", ("--transport", "http-first")),
)
# What the server prints when a session begins and when its client takes leave, as it should.
SESSIONS = {
    "streamableHttp": (
        r"Session initialized with ID: (\S+)",
        r"Received session termination request for session (\S+)",
    ),
    "sse": (r"Client Connected: +(\S+)", r"Client Disconnected: +(\S+)"),
}


@dataclass
class Outcome:
    target: str
    client: str
    seconds: float
    steps: int
    # What went wrong; empty if nothing did.
    reason: str
    stderr: str = ""


class OutOfTime(Exception):
    """The whole run has taken too long."""


class Processes:
    """Everything that was started, to end it whatever happens; each leads a group of its own."""

    def __init__(self):
        self._started = []
        self._lock = threading.Lock()
        self._closed = False

    def start(self, command, **options):
        with self._lock:
            if self._closed:
                raise OutOfTime(f"no end after {TOTAL_SECONDS} s")
            process = subprocess.Popen(
                command, **{"stdin": subprocess.DEVNULL, "start_new_session": True, **options}
            )
            self._started.append(process)
            return process

    def end(self):
        with self._lock:
            self._closed = True
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self._started:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, sign)
            end = time.monotonic() + 2
            while time.monotonic() < end and any(p.poll() is None for p in self._started):
                time.sleep(0.02)


def poll(seconds, condition):
    """The first true value of `condition` within `seconds`, or the last one."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def start_server(processes, mode, log):
    """Starts the server in `mode`; its origin, when it listens."""
    with log.open("wb") as output:
        command = ["node", "--import", str(NODE / "loopback.mjs"), str(SERVER), mode]
        server = processes.start(command, stdout=output, stderr=subprocess.STDOUT)
    return wait_for_port(server, log, mode)


def wait_for_port(server, log, name):
    """The origin of a server that prints where it listens."""
    listening = poll(
        SERVER_START_SECONDS,
        lambda: (
            server.poll() is not None or re.search(r"^listening on (\d+)$", log.read_text(), re.M)
        ),
    )
    if not isinstance(listening, re.Match):
        sys.exit(f"peers: the server did not start as {name}:\n{log.read_text()}")
    return f"http://127.0.0.1:{listening[1]}"


def end_bridges(home):
    """Ends the bridges of a driver that could not: `watch.sh` has noted who they are."""
    for child in home.glob("peers-*/*.child"):
        if not child.with_suffix(".exit").exists():
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(child.read_text()), signal.SIGKILL)


def run_driver(processes, scratch, client, target, bridge, origin):
    """One client's session with one target."""
    name = f"{target.name}.{client.name}".replace(", ", "-")
    # The bridge keeps its files under the home directory: here it finds nothing and leaves nothing.
    home = scratch / name
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    program, *arguments = bridge
    line = [program, origin + target.path, *target.arguments, *arguments]
    command = [*client.command, "--", *line]
    begin = time.monotonic()
    stderr = scratch / f"{name}.stderr"
    with stderr.open("wb") as errors:
        try:
            driver = processes.start(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        except OutOfTime as error:
            return Outcome(target.name, client.name, 0, 0, f"not ok start\n  {error}")
        try:
            output, _ = driver.communicate(timeout=DRIVER_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(driver.pid, signal.SIGKILL)
            output, _ = driver.communicate()
            output += f"not ok session\n  no end after {DRIVER_SECONDS} s\n"
        finally:
            end_bridges(home)
    lines = output.splitlines()
    steps = sum(line.startswith("ok ") for line in lines)
    reason = "\n".join(line for line in lines if not line.startswith("ok "))
    if driver.returncode != 0 and not reason:
        reason = f"not ok: exit status {driver.returncode}"
    if driver.returncode == 0 and (reason or steps == 0):
        reason = f"not ok: exit status 0, but {reason or 'no step'}"
    seconds = time.monotonic() - begin
    return Outcome(
        target.name, client.name, seconds, steps, reason, stderr.read_text(errors="replace")
    )


def goodbye(mode, log):
    """Whether every session that the server saw was ended by its client."""
    begin, end = SESSIONS[mode]

    def left():
        text = log.read_text()
        begun = set(re.findall(begin, text))
        return begun and begun == set(re.findall(end, text))

    start = time.monotonic()
    complete = poll(GOODBYE_SECONDS, left)
    text = log.read_text()
    begun, ended = set(re.findall(begin, text)), set(re.findall(end, text))
    reason = (
        "" if complete else f"not ok goodbye\n  {len(begun)} sessions begun, {len(ended)} ended"
    )
    return Outcome(mode, "(goodbye)", time.monotonic() - start, 1, reason)


def report(outcomes):
    for outcome in outcomes:
        if outcome.reason:
            print(f"--- {outcome.client} with {outcome.target}: after {outcome.steps} steps")
            print(outcome.reason)
            tail = outcome.stderr.splitlines()[-30:]
            if tail:
                print("    stderr, the end of it:")
                print("\n".join(f"    | {line}" for line in tail))
    width = max(len(outcome.target) for outcome in outcomes)
    for outcome in outcomes:
        verdict = "FAILED" if outcome.reason else "ok"
        print(
            f"{outcome.target:<{width}}  {outcome.client:<12} {verdict:<7}"
            f"{outcome.steps:>3} steps {outcome.seconds:6.1f} s"
        )
    failed = sum(bool(outcome.reason) for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


def find_program(parser, name):
    """Where it is: the drivers run with another home, and may run elsewhere."""
    program = shutil.which(name)
    if program is None:
        parser.error(f"no such program: {name}")
    return str(Path(program).absolute())


@contextlib.contextmanager
def workshop(name):
    """What runs and a folder for it; afterwards, or when the time is up, both are gone."""
    processes = Processes()
    deadline = threading.Timer(TOTAL_SECONDS, processes.end)
    deadline.daemon = True
    deadline.start()
    scratch = Path(tempfile.mkdtemp(prefix=f"peers-{name}-"))
    try:
        yield processes, scratch
    finally:
        deadline.cancel()
        processes.end()
        shutil.rmtree(scratch, ignore_errors=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", action="append", choices=[client.name for client in CLIENTS])
    parser.add_argument("--target", action="append", choices=[target.name for target in TARGETS])
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), metavar="N")
    parser.add_argument("bridge", nargs="+", metavar="BRIDGE")
    options = parser.parse_args()
    if not SERVER.exists():
        parser.error(f"not installed: run `npm ci` in {NODE}")
    if not Path(VENV).exists():
        parser.error(f"not installed: make a venv {PYTHON / '.venv'} from requirements.txt")
    options.bridge[0] = find_program(parser, options.bridge[0])
    return options


def main():
    options = parse()
    clients = [c for c in CLIENTS if not options.client or c.name in options.client]
    targets = [t for t in TARGETS if not options.target or t.name in options.target]
    with workshop("run") as (processes, scratch):
        modes = {target.mode: scratch / f"{target.mode}.log" for target in targets}
        origins = {mode: start_server(processes, mode, log) for mode, log in modes.items()}
        with ThreadPoolExecutor(options.jobs) as pool:
            runs = [
                pool.submit(
                    run_driver,
                    processes,
                    scratch,
                    client,
                    target,
                    options.bridge,
                    origins[target.mode],
                )
                for target in targets
                for client in clients
            ]
            outcomes = [run.result() for run in runs]
        outcomes += [goodbye(mode, log) for mode, log in modes.items()]
        return report(outcomes)


if __name__ == "__main__":
    sys.exit(main())
