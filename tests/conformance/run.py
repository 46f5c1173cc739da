#!/usr/bin/env python3
"""Lets the official MCP conformance suite judge the bridge.

    tests/conformance/run.py [--version VERSION]... [--scenario NAME]... [--table FILE]
                             [--keep FOLDER] -- BRIDGE [ARGUMENT...]

The suite starts a server and the driver, the driver starts `BRIDGE URL [ARGUMENT...]`. The suite
and its Node.js are what `package-lock.json` pins; `tests/all` installs them.

`expected.json` names the scenarios that are known to fail, with the reason. The run fails if
another one fails, and also if one of these passes: then its line goes.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
SUITE = MODULES / "@modelcontextprotocol/conformance/dist/index.js"
EXPECTED = HERE / "expected.json"

VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
# Extensions are on the list of no version; they run with these.
WITH_EXTENSIONS = ("2025-11-25", "2026-07-28")
# What these ask for is a host's duty: to check the files of a skill before it uses them.
FOR_HOSTS = "sep-2640-"

# The driver gives up first, then the suite, then the run.
SUITE_SECONDS = 80
SCENARIO_SECONDS = 90
TOTAL_SECONDS = 900
JOBS = 2


@dataclass(frozen=True, order=True)
class Case:
    version: str
    scenario: str
    is_extension: bool = False


@dataclass
class Outcome:
    case: Case
    seconds: float
    # How many checks have which status.
    checks: Counter
    # What went wrong; empty if nothing did.
    problems: list
    stderr: str = ""


class Processes:
    """Everything that was started, to end it whatever happens; each leads a group of its own."""

    def __init__(self):
        self._started = []
        self._lock = threading.Lock()
        self._closed = False

    def start(self, command, **options):
        with self._lock:
            if self._closed:
                return None
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, start_new_session=True, **options
            )
            self._started.append(process)
            return process

    def end(self):
        with self._lock:
            self._closed = True
        for process in self._started:
            if process.poll() is None:
                kill_group(process)


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def node():
    """The pinned Node.js, or one from the outside on systems that it is not there for."""
    pinned = MODULES / ".bin/node"
    return str(pinned) if pinned.exists() else "node"


def suite(*arguments):
    return [node(), "--import", str(HERE / "loopback.mjs"), str(SUITE), *arguments]


def list_scenarios(*arguments, side="--client"):
    """Names of scenarios, and the brackets behind them."""
    command = suite("list", side, *arguments)
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^  - (\S+) \[(.*)\]$", text, re.M)


def list_cases(versions):
    cases = []
    for version in versions:
        names = list_scenarios("--spec-version", version)
        cases += [Case(version, name) for name, _ in names]
    extensions = [name for name, kind in list_scenarios() if kind == "extension"]
    for version in set(versions) & set(WITH_EXTENSIONS):
        cases += [Case(version, name, True) for name in extensions if FOR_HOSTS not in name]
    return sorted(cases)


def run_case(processes, scratch, bridge, case):
    folder = scratch / case.version / case.scenario
    folder.mkdir(parents=True)
    arguments = ["--scenario", case.scenario, "--spec-version", case.version]
    arguments += ["--timeout", str(1000 * SUITE_SECONDS), "--output-dir", str(folder)]
    arguments += ["--force"] if case.is_extension else []
    environment = {
        **os.environ,
        # The suite runs its client with a shell, which finds `node` here.
        "PATH": os.pathsep.join([str(MODULES / ".bin"), os.environ["PATH"]]),
        "APEXMCP_CONFORMANCE_BRIDGE": json.dumps(bridge),
        "TMPDIR": str(scratch),
    }
    begin = time.monotonic()
    with (folder / "suite.txt").open("wb") as output:
        process = processes.start(
            suite("client", "--command", "node driver.mjs", *arguments),
            cwd=HERE,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        late = process is None
        if process:
            try:
                process.wait(SCENARIO_SECONDS)
            except subprocess.TimeoutExpired:
                late = True
                kill_group(process)
    outcome = judge(case, folder, time.monotonic() - begin)
    if late:
        outcome.problems.insert(0, "it took too long and was ended")
    return outcome


def judge(case, folder, seconds):
    """What the suite has found out, and how the driver saw the session."""

    def read(name):
        found = [path.read_text(errors="replace") for path in folder.rglob(name)]
        return found[0] if found else ""

    counts, problems = judge_checks(json.loads(read("checks.json") or "[]"))
    driver = read("stdout.txt").strip()
    if driver != "passed":
        problems.append(f"driver: {driver or 'it said nothing'}")
    stderr = read("stderr.txt") or read("suite.txt")
    return Outcome(case, seconds, counts, list(dict.fromkeys(problems)), stderr)


def judge_checks(checks):
    """How many there are of which status, and what is wrong with them."""
    counts = Counter(check["status"] for check in checks)
    problems = [
        f"{check['status'].lower()}: {check.get('errorMessage') or check['description']}"
        for check in checks
        if check["status"] in ("FAILURE", "WARNING")
    ]
    if counts["SUCCESS"] == 0:
        problems.append("no check has passed")
    return counts, problems


def verdict(outcome, expected):
    reason = expected.get(outcome.case.version, {}).get(outcome.case.scenario)
    if outcome.problems:
        return "known" if reason else "FAILED"
    return "STALE" if reason else "ok"


def make_table(outcomes, expected):
    wide = max((len(outcome.case.version) for outcome in outcomes), default=0) + 1
    lines = [f"{'version':<{wide}}{'scenario':<48}{'pass':>4}{'warn':>5}{'fail':>5}{'s':>5}  result"]
    for outcome in outcomes:
        counts = outcome.checks
        lines.append(
            f"{outcome.case.version:<{wide}}{outcome.case.scenario:<48}"
            f"{counts['SUCCESS']:>4}{counts['WARNING']:>5}{counts['FAILURE']:>5}"
            f"{outcome.seconds:>5.0f}  {verdict(outcome, expected)}"
        )
    verdicts = Counter(verdict(outcome, expected) for outcome in outcomes)
    lines.append(
        f"{verdicts['ok']} passed, {verdicts['known']} failed as expected, "
        f"{verdicts['FAILED']} failed, {verdicts['STALE']} stale"
    )
    return "\n".join(lines) + "\n"


def print_details(outcomes, expected):
    for outcome in outcomes:
        name = f"{outcome.case.scenario} of {outcome.case.version}"
        match verdict(outcome, expected):
            case "FAILED":
                print(f"--- {name}")
                print("\n".join(f"  {problem}" for problem in outcome.problems))
                print("    stderr, the end of it:")
                print("\n".join(f"    | {line}" for line in outcome.stderr.splitlines()[-30:]))
            case "STALE":
                print(f"--- {name}\n  it passes: remove its line from {EXPECTED.name}")


def check_expected(expected, cases):
    """A line about a scenario that the suite does not know would stay for ever."""
    for version in {case.version for case in cases}:
        known = {case.scenario for case in cases if case.version == version}
        for name in expected.get(version, {}):
            if name not in known:
                sys.exit(f"run.py: {EXPECTED.name}: {version} has no scenario `{name}`")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="append", choices=VERSIONS)
    parser.add_argument("--scenario", action="append", metavar="NAME")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="leave what the suite wrote there"
    )
    parser.add_argument("bridge", nargs="+", metavar="BRIDGE")
    options = parser.parse_args()
    if not SUITE.exists():
        parser.error(f"not installed: run `npm ci` in {HERE}")
    options.bridge[0] = find_program(parser, options.bridge[0])
    return options


def find_program(parser, name):
    program = shutil.which(name)
    if program is None:
        parser.error(f"no such program: {name}")
    # It may be started elsewhere: a full path serves everywhere.
    return str(Path(program).absolute())


def main():
    options = parse()
    expected = json.loads(EXPECTED.read_text())
    cases = list_cases(options.version or VERSIONS)
    check_expected(expected, cases)
    if options.scenario:
        cases = [case for case in cases if case.scenario in options.scenario]
    if not cases:
        sys.exit("run.py: there is no such scenario")
    processes = Processes()
    deadline = threading.Timer(TOTAL_SECONDS, processes.end)
    deadline.daemon = True
    deadline.start()
    scratch = Path(tempfile.mkdtemp(prefix="conformance-run-"))
    try:
        with ThreadPoolExecutor(JOBS) as pool:
            run = partial(run_case, processes, scratch, options.bridge)
            outcomes = list(pool.map(run, cases))
    finally:
        deadline.cancel()
        processes.end()
        if options.keep:
            shutil.copytree(scratch, options.keep, dirs_exist_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
    return report(outcomes, expected, options.table)


def report(outcomes, expected, file):
    """Prints what was found out, and writes the table; the exit status."""
    print_details(outcomes, expected)
    table = make_table(outcomes, expected)
    print(table, end="")
    if file:
        file.write_text(table)
    return 1 if any(verdict(o, expected) in ("FAILED", "STALE") for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
