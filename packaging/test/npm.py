#!/usr/bin/env python3
"""The npm packages: `npx`, what becomes of signals and exit statuses, and of a missing package.

    packaging/test/npm.py DIST [--registry]

Without `--registry` the packages are installed from their files, with no network. With it they
are published to a registry on this machine, and `npx -y apexmcp-bridge` finds them there.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from conversation import GOODBYE_SECONDS, ROOT, Failure, Mock, Program, converse, handshake

sys.path.insert(0, str(ROOT / "packaging"))

from packager.project import Project  # noqa: E402

HERE = Path(__file__).resolve().parent
PROJECT = Project()
NEW_NODE = next((HERE / "node/node_modules").glob("node-linux-*/bin/node"), None)
REGISTRY = HERE / "registry/node_modules"
SECONDS = 120


def main():
    dist = Path(sys.argv[1]).resolve()
    nodes = [shutil.which("node"), *([str(NEW_NODE)] if NEW_NODE else [])]
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2:] == ["--registry"]:
            with_registry(Path(folder), dist, nodes)
        else:
            from_files(Path(folder), dist, nodes)


def from_files(folder, dist, nodes):
    packages = sorted(str(it) for it in dist.glob("*.tgz") if fits(it))
    for node in nodes:
        prefix = folder / version(node)
        npm = {"npm_config_cache": str(folder / "cache"), "npm_config_offline": "true"}
        npm |= with_path(node)
        run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(prefix), *packages],
            npm | {"HOME": str(folder)})
        program = str(prefix / "node_modules/.bin" / PROJECT.name)
        check_installed(node, program)
        tools = converse(["npx", "-y", *(f"--package={it}" for it in packages), PROJECT.name, "{url}"],
                         npm)
        print(f"npm and npx under Node {version(node)}: {len(tools)} tools")
        check_missing(node, prefix, program)


def check_installed(node, program):
    environment = with_path(node)
    converse([program, "{url}"], environment)
    # Without a server it is a misuse.
    status = subprocess.run([program], env=os.environ | environment, capture_output=True,
                            stdin=subprocess.DEVNULL).returncode
    same("the status of a misuse", status, 2)
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        check_signal(node, program, sign)
    check_death(node, program)
    override = environment | {"APEXMCP_BRIDGE_BINARY": "/bin/false"}
    status = subprocess.run([program], env=os.environ | override).returncode
    same("the status of another program", status, 1)


def check_signal(node, program, sign):
    """It reaches the program, whose status is the one that is seen, and nothing is left."""
    with Mock() as gateway, tempfile.TemporaryDirectory() as home:
        environment = with_path(node) | {"APEXMCP_API_KEY": gateway.key}
        started = Program([program, gateway.url], environment, home)
        try:
            handshake(started)
            children = children_of(started.process.pid)
            replaced = "execve" in features(node)
            same("the number of processes under Node", len(children), 0 if replaced else 1)
            started.process.send_signal(sign)
            status = started.process.wait(GOODBYE_SECONDS)
            same(f"the status after {sign.name}", status, 128 + sign)
            left = [it for it in children if Path(f"/proc/{it}/exe").exists()]
            same(f"what is left after {sign.name}", left, [])
        finally:
            started.kill()


def check_death(node, program):
    """A program that dies of a signal is seen to have died of it."""
    with Mock() as gateway, tempfile.TemporaryDirectory() as home:
        environment = with_path(node) | {"APEXMCP_API_KEY": gateway.key}
        started = Program([program, gateway.url], environment, home)
        try:
            handshake(started)
            (last,) = children_of(started.process.pid) or [started.process.pid]
            os.kill(int(last), signal.SIGKILL)
            same("the end after SIGKILL", started.process.wait(GOODBYE_SECONDS), -signal.SIGKILL)
        finally:
            started.kill()


def check_missing(node, prefix, program):
    shutil.rmtree(prefix / "node_modules" / PROJECT.npm_scope)
    done = subprocess.run([program, "acme"], env=os.environ | with_path(node),
                          capture_output=True, text=True)
    same("the status without the program's package", done.returncode, 127)
    same("what is said then", "--omit=optional" in done.stderr, True)
    same("stdout then", done.stdout, "")


def with_registry(folder, dist, nodes):
    if not NEW_NODE:
        raise Failure("verdaccio needs the Node.js of packaging/test/node")
    npm12 = [str(NEW_NODE), str(REGISTRY / "npm/bin/npm-cli.js")]
    npx12 = [str(NEW_NODE), str(REGISTRY / "npm/bin/npx-cli.js")]
    with registry(folder) as address:
        host = address.removeprefix("http:")
        settings = folder / "npmrc"
        settings.write_text(f"registry={address}/\n{host}/:_authToken=none\n")
        npm = {"npm_config_userconfig": str(settings), "npm_config_registry": f"{address}/"}
        for package in sorted(dist.glob("*.tgz")):
            run([*npm12, "publish", str(package)], npm | {"HOME": str(folder)} | with_path(str(NEW_NODE)))
        for node, npx in ((nodes[0], ["npx"]), (str(NEW_NODE), npx12)):
            cache = {"npm_config_cache": str(folder / f"cache-{version(node)}")}
            environment = npm | cache | with_path(node)
            for when in ("cold", "warm"):
                begin = time.monotonic()
                tools = converse([*npx, "-y", PROJECT.name, "{url}"], environment)
                took = time.monotonic() - begin
                print(f"npx -y, {when}, Node {version(node)}: {len(tools)} tools, {took:.1f} s")


@contextlib.contextmanager
def registry(folder):
    """Verdaccio on loopback, without any registry behind it, for as long as the block lasts."""
    rule = {"access": "$all", "publish": "$all"}
    configuration = {
        "storage": str(folder / "storage"),
        "auth": {"htpasswd": {"file": str(folder / "htpasswd")}},
        "uplinks": {},
        "packages": {"@*/*": rule, "**": rule},
        "log": {"type": "file", "path": str(folder / "log"), "level": "warn"},
        "listen": "127.0.0.1:0",
    }
    port = free_port()
    # JSON is YAML.
    file = folder / "verdaccio.yaml"
    file.write_text(json.dumps(configuration))
    server = subprocess.Popen(
        [str(NEW_NODE), str(REGISTRY / "verdaccio/bin/verdaccio"), "--config", str(file),
         "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while not answers(f"{address}/-/ping"):
            if server.poll() is not None or end < time.monotonic():
                raise Failure("the registry does not start")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


def fits(file):
    """The main package, and the one of this system."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine)
    return f"-linux-{machine}-" in file.name or file.name == f"{PROJECT.name}-{PROJECT.version}.tgz"


def with_path(node):
    return {"PATH": f"{Path(node).parent}:{os.environ['PATH']}"}


def version(node):
    return subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()


def features(node):
    test = "console.log(typeof process.execve === 'function' ? 'execve' : '')"
    return subprocess.run([node, "-e", test], capture_output=True, text=True).stdout


def children_of(process):
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def run(command, environment):
    done = subprocess.run(command, env=os.environ | environment, text=True, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failure(f"{' '.join(command)} failed:\n{done.stdout}")


def same(what, found, expected):
    if found != expected:
        raise Failure(f"{what} is {found!r}, expected {expected!r}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"npm.py: {failure}")
