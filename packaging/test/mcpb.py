#!/usr/bin/env python3
"""The bundle for Claude Desktop: judged by the official tool, unpacked as badly as Desktop does it
on macOS, resolved by the official code, and started.

    packaging/test/mcpb.py DIST
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from conversation import Failure, Mock, Program, converse

HERE = Path(__file__).resolve().parent
TOOL = HERE / "node/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
# What Claude Desktop passes on when a setting was not filled in.
PLACEHOLDER = "${user_config.api_key}"


def main():
    dist = Path(sys.argv[1]).resolve()
    (bundle,) = dist.glob("*.mcpb")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "Claude Extensions" / "apexmcp"
        run(["node", TOOL, "unpack", bundle, place])
        run(["node", TOOL, "validate", place / "manifest.json"])
        every_file_0600(place)
        filled = started_as({"org": "{url}", "api_key": "{key}"}, place)
        print(f"with a key: {len(talk(filled))} tools")
        print(f"a second time: {len(talk(filled))} tools")
        check_without_key(started_as({"org": "{url}"}, place))
        check_placeholder(filled)
        check_required(place)
        check_without_execution(bundle, filled, place)


def every_file_0600(place):
    files = [it for it in place.rglob("*") if it.is_file()]
    for file in files:
        file.chmod(0o600)
    if not any(it.name == "launch.sh" for it in files):
        raise Failure("there is no launch.sh in the bundle")


def started_as(settings, place):
    """What Claude Desktop starts, by the code that it has this from."""
    done = run(["node", HERE / "resolve.cjs", place / "manifest.json", json.dumps(settings)])
    return json.loads(done)


def talk(configuration):
    return converse([configuration["command"], *configuration["args"]], configuration["env"])


def check_without_key(configuration):
    """An empty field: as if the variable were not set, so the bridge wants a sign-in."""
    value = configuration["env"]["APEXMCP_API_KEY"]
    if value not in ("", PLACEHOLDER):
        raise Failure(f"the key that was left out is {value!r}")
    check_sign_in(configuration, value)


def check_placeholder(configuration):
    check_sign_in(configuration, PLACEHOLDER)


def check_sign_in(configuration, value):
    """A key that is no key must not be sent: the bridge begins a sign-in, and answers."""
    with Mock() as gateway, tempfile.TemporaryDirectory() as home:
        command = [configuration["command"], *configuration["args"]]
        command = [it.replace("{url}", gateway.url) for it in command]
        environment = {"APEXMCP_API_KEY": value, "APEXMCP_BRIDGE_BROWSER": "/bin/true"}
        program = Program([*command, "--token-store", "memory"], environment, home)
        try:
            client = {"name": "packaging", "version": "1"}
            parameters = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
            program.say({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters})
            program.answer(1)
            if not any("sign in" in line.lower() for line in program.stderr):
                raise Failure(f"no sign-in was begun:\n{''.join(program.stderr)}")
            print(f"with {value!r} as the key: a sign-in begins")
            program.end()
        finally:
            program.kill()


def check_required(place):
    if started_as({}, place) is not None:
        raise Failure("without an organization the server is started all the same")


def check_without_execution(bundle, configuration, place):
    """In a folder of which nothing may be executed the program runs from a copy."""
    if os.geteuid() != 0:
        print("skipped: only root can mount a folder without execution")
        return
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,size=256m", "tmpfs", folder],
                                 capture_output=True, text=True)
        if mounted.returncode:
            print(f"skipped: a folder without execution: {mounted.stderr.strip()}")
            return
        try:
            inside = Path(folder) / "apexmcp"
            run(["node", TOOL, "unpack", bundle, inside])
            every_file_0600(inside)
            moved = json.loads(json.dumps(configuration).replace(str(place), str(inside)))
            print(f"without execution: {len(talk(moved))} tools")
        finally:
            subprocess.run(["umount", folder], check=True)


def run(command):
    done = subprocess.run([str(it) for it in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"mcpb.py: {failure}")
