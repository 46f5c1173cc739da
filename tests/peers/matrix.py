#!/usr/bin/env python3
"""Runs real MCP hosts of each era with real servers of each, with the bridge in between.

    tests/peers/matrix.py [--host NAME]... [--server NAME]... [--jobs N] -- BRIDGE [ARGUMENT...]

Every host (an SDK, pinned to one era) does the same with every server (an SDK, which speaks one
era or both): it lists, calls with progress, is asked, opens an address, subscribes, cancels, and
wants logs. `run.py` has the same SDKs' whole sessions with another server.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from run import HERE, NODE, PYTHON, VENV, Client, Target
from run import find_program, run_driver, wait_for_port, workshop

MODERN = "2026-07-28"
RUST = HERE / "rust"
ERAS = ("legacy", "dual", "modern")
# An address that looks like HTTP+SSE, which no modern server speaks.
MISLEADING = "/sse"
# What a legacy and a modern host get from a server of each era.
PASSED, TRANSLATED = "passed through", "translated"


@dataclass(frozen=True)
class Server:
    """An SDK's server, and how it comes to speak one era only."""

    name: str
    command: tuple[str, ...]
    note: str
    # Whether it takes every path for its endpoint.
    any_path: bool = False


HOSTS = tuple(
    Client(f"{name}, {era}", (*command, "--negotiate", negotiate))
    for name, command in (
        ("TypeScript", ("node", str(NODE / "eras.mjs"))),
        ("Python", (VENV, str(PYTHON / "eras.py"))),
    )
    for era, negotiate in (("legacy", "legacy"), ("modern", MODERN))
)


def servers(rust):
    return (
        Server(
            "TypeScript",
            ("node", str(NODE / "server.mjs")),
            "legacy: its transport with sessions; modern: `legacy: 'reject'`; "
            "dual: `isLegacyRequest` between the two",
            any_path=True,
        ),
        Server(
            "Python",
            (VENV, str(PYTHON / "server.py")),
            "always serves both, by `MCP-Protocol-Version`: for one era alone the test takes the "
            "header away or adds it",
        ),
        Server(
            "rmcp",
            (str(rust),),
            "`supported_protocol_versions` names what it speaks",
        ),
    )


def build_rust():
    """Builds the server of rmcp; where it is."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")) / "peers"
    command = ["cargo", "build", "--locked", "--quiet", "--manifest-path", RUST / "Cargo.toml"]
    subprocess.run([*command, "--target-dir", target], check=True)
    return target / "debug/apexmcp-bridge-peers"


def agree(host, eras):
    """Whether a host and a server of these eras need no translation."""
    return eras == "dual" or host.name.endswith(eras)


def run_server(processes, scratch, server, eras, path, hosts, bridge):
    """All hosts with one server, one after the other: it tells each of them everything."""
    name = f"{server.name}-{eras}{path.replace('/', '-')}"
    log = scratch / f"{name}.log"
    with log.open("wb") as output:
        process = processes.start(
            [*server.command, eras], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    origin = wait_for_port(process, log, name)
    target = Target(name, eras, path, ("--debug",))
    outcomes = [run_driver(processes, scratch, host, target, bridge, origin) for host in hosts]
    process.stdin.close()
    for host, outcome in zip(hosts, outcomes, strict=True):
        # The bridge says so when it translates.
        translated = "; translating" in outcome.stderr
        if not outcome.reason and translated == agree(host, eras):
            outcome.reason = f"not ok: {TRANSLATED if translated else PASSED}"
        if outcome.reason:
            outcome.stderr += f"\nthe server: {log.read_text(errors='replace')[-2000:]}"
    return outcomes


def report(table, hosts, notes):
    """Prints what failed; the table, with a row for every server and a column for every host."""
    failed = 0
    for outcomes in table.values():
        for outcome in outcomes:
            if outcome.reason:
                failed += 1
                print(f"--- {outcome.client} with {outcome.target}: after {outcome.steps} steps")
                print(outcome.reason)
                print("\n".join(f"    | {line}" for line in outcome.stderr.splitlines()[-30:]))
    lines = [row(["server", *(host.name for host in hosts)])]
    for (server, eras, path), outcomes in table.items():
        cells = [f"{server}, {eras}" + (f", {path}" if path == MISLEADING else "")]
        for host, outcome in zip(hosts, outcomes, strict=True):
            how = PASSED if agree(host, eras) else TRANSLATED
            cells.append("FAILED" if outcome.reason else f"{outcome.steps} steps {how}")
        lines.append(row(cells))
    lines += ["", *notes]
    total = sum(len(outcomes) for outcomes in table.values())
    lines.append(f"{total - failed} passed, {failed} failed")
    return lines, failed


def row(cells):
    return "  ".join(cell.ljust(24) for cell in cells).rstrip()


def parse(names):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", action="append", choices=[host.name for host in HOSTS])
    parser.add_argument("--server", action="append", choices=names)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--table", type=Path, help="where to leave the table", metavar="FILE")
    parser.add_argument("bridge", nargs="+", metavar="BRIDGE")
    options = parser.parse_args()
    options.bridge[0] = find_program(parser, options.bridge[0])
    return options


def main():
    options = parse([server.name for server in servers("")])
    hosts = [host for host in HOSTS if not options.host or host.name in options.host]
    chosen = [
        server
        for server in servers(build_rust())
        if not options.server or server.name in options.server
    ]
    with workshop("matrix") as (processes, scratch):
        with ThreadPoolExecutor(options.jobs) as pool:
            runs = {
                (server.name, eras, path): pool.submit(
                    run_server, processes, scratch, server, eras, path, hosts, options.bridge
                )
                for server in chosen
                for eras, path in [
                    *((eras, "/mcp") for eras in ERAS),
                    *(((ERAS[-1], MISLEADING),) if server.any_path else ()),
                ]
            }
            table = {key: run.result() for key, run in runs.items()}
        notes = [f"{server.name}: {server.note}" for server in chosen]
        lines, failed = report(table, hosts, notes)
        print("\n".join(lines))
        if options.table:
            options.table.write_text("\n".join([*lines, ""]))
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
