#!/usr/bin/env python3
"""Lets the official MCP conformance suite judge the mock gateway.

    tests/conformance/server.py [--version VERSION]... [--table FILE] [--keep FOLDER]
                                -- MOCK [ARGUMENT...]

Runs `MOCK --conformance --eras dual [ARGUMENT...]`, and lets the suite talk to it: as a client of
each version, and as a client of its authorization server.

`expected.json` names the scenarios that are known to fail, under `server VERSION` and
`authorization`, as `run.py` has it for the bridge.
"""

import argparse
import json
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import run

VERSIONS = run.VERSIONS
AUTHORIZATION = "authorization"

READY_SECONDS = 10
# A version takes ten seconds.
SUITE_SECONDS = 120


def side(version):
    return version if version == AUTHORIZATION else f"server {version}"


@cache
def list_cases(version):
    if version == AUTHORIZATION:
        names = run.list_scenarios(side="--authorization")
    else:
        names = run.list_scenarios("--spec-version", version, side="--server")
    return [run.Case(side(version), name) for name, _ in names]


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def read_line(process, deadline):
    """The next line of a program that may say nothing; empty if there is none in time."""
    left = max(0, deadline - time.monotonic())
    ready, _, _ = select.select([process.stdout], [], [], left)
    return process.stdout.readline() if ready else ""


def start_mock(processes, mock, *arguments):
    """What the mock says when it is ready."""
    command = [mock[0], "--port", "0", "--conformance", "--eras", "dual", *arguments, *mock[1:]]
    process = processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = read_line(process, time.monotonic() + READY_SECONDS) if process else ""
    if not line:
        sys.exit("server.py: the mock gateway does not start")
    return json.loads(line)


def run_version(processes, scratch, mock, version):
    """All scenarios of a version, one after the other, against one gateway."""
    folder = scratch / version
    folder.mkdir(parents=True)
    begin = time.time()
    if version == AUTHORIZATION:
        log = run_authorization(processes, folder, mock)
    else:
        url = start_mock(processes, mock, "--no-auth")["http"]["acme"]
        arguments = ["--url", url, "--spec-version", version, "--suite", "all"]
        log = run_suite(processes, folder, ["server", *arguments])
    return judge(version, folder, begin, log)


def run_suite(processes, folder, arguments, follow=None):
    """Runs the suite, and lets `follow` see what it prints; all of that."""
    process = processes.start(
        run.suite(*arguments, "--output-dir", str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    deadline = time.monotonic() + SUITE_SECONDS
    while process and (line := read_line(process, deadline)):
        lines.append(line)
        if follow:
            follow(line)
    if process and process.poll() is None:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            lines.append("it took too long and was ended\n")
            run.kill_group(process)
    (folder / "suite.txt").write_text("".join(lines))
    return "".join(lines)


def run_authorization(processes, folder, mock):
    port = free_port()
    client = {"client_id": "suite", "redirect_uris": [f"http://127.0.0.1:{port}/callback"]}
    flags = ["--auto-approve", "--client-documents", "--client", json.dumps(client)]
    ready = start_mock(processes, mock, *flags)

    printed = []

    def follow(line):
        # The browser: it goes where it is told, and to the suite in the end, once that listens.
        printed.append(line)
        urls = [it for it in printed if re.match(r"https?://\S+\?response_type=code", it)]
        if urls and any(it.startswith("Callback server started") for it in printed):
            printed.clear()
            urllib.request.urlopen(urls[0].strip(), timeout=READY_SECONDS).close()

    arguments = ["--url", ready["issuer"], "--client-id", client["client_id"]]
    arguments += ["--resource", ready["http"]["acme"], "--port", str(port)]
    return run_suite(processes, folder, [AUTHORIZATION, *arguments], follow)


def judge(version, folder, begin, log):
    """One outcome for each scenario, also for those that left nothing."""
    results = {}
    for path in sorted(folder.rglob("checks.json"), key=lambda path: path.stat().st_mtime):
        end = path.stat().st_mtime
        name = re.sub(r"^(server|authorization-server)-|-\d{4}-\d\d-\d\dT[\d-]+Z$", "", path.parent.name)
        results[name] = (end - begin, json.loads(path.read_text()))
        begin = end
    outcomes = []
    for case in list_cases(version):
        seconds, checks = results.get(case.scenario, (0, []))
        counts, problems = run.judge_checks(checks)
        outcomes.append(run.Outcome(case, seconds, counts, problems, log))
    return outcomes


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="append", choices=(*VERSIONS, AUTHORIZATION))
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="leave what the suite wrote there"
    )
    parser.add_argument("mock", nargs="+", metavar="MOCK")
    options = parser.parse_args()
    if not run.SUITE.exists():
        parser.error(f"not installed: run `npm ci` in {run.HERE}")
    options.mock[0] = run.find_program(parser, options.mock[0])
    return options


def main():
    options = parse()
    versions = options.version or (*VERSIONS, AUTHORIZATION)
    expected = json.loads(run.EXPECTED.read_text())
    run.check_expected(expected, [case for version in versions for case in list_cases(version)])
    processes = run.Processes()
    deadline = threading.Timer(run.TOTAL_SECONDS, processes.end)
    deadline.daemon = True
    deadline.start()
    scratch = Path(tempfile.mkdtemp(prefix="conformance-server-"))
    try:
        with ThreadPoolExecutor(len(versions)) as pool:
            work = partial(run_version, processes, scratch, options.mock)
            outcomes = [outcome for some in pool.map(work, versions) for outcome in some]
    finally:
        deadline.cancel()
        processes.end()
        if options.keep:
            shutil.copytree(scratch, options.keep, dirs_exist_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
    return run.report(outcomes, expected, options.table)


if __name__ == "__main__":
    sys.exit(main())
