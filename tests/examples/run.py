#!/usr/bin/env python3
"""Runs the examples of docs/mock-gateway-in-tests.md as they stand there.

    tests/examples/run.py [--only SECTION]... -- GATEWAY

A section of that page is a tool. Every code block after the name of a file becomes that file, in a
folder of its own, and the tool runs there. `package-lock.json` and the requirements of
`tests/peers/python` pin the tools. JUnit runs only where it is asked for, as it needs a JDK and
Debian's package `junit5`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs/mock-gateway-in-tests.md"
PYTHON = HERE.parent / "peers/python/.venv/bin/python"
VITEST = HERE / "node_modules/vitest/vitest.mjs"
# Vitest needs Node.js 22, which the conformance suite brings along.
PINNED_NODE = HERE.parent / "conformance/node_modules/.bin/node"
NODE = str(PINNED_NODE) if PINNED_NODE.exists() else "node"

JARS = Path("/usr/share/java")

SECONDS = 300


def examples():
    """The files of every section."""
    found = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        title = section.split("\n", 1)[0]
        blocks = re.findall(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```", section, re.M | re.S)
        found[title] = dict(blocks)
    return found


def pytest(folder):
    return [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]


def vitest(folder):
    # It looks for itself from where the tests are.
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    return [NODE, VITEST, "run", "--root", folder]


def junit(folder):
    jars = ":".join(str(it) for it in sorted(JARS.glob("*.jar")) if "standalone" not in it.name)
    subprocess.run(["javac", "-cp", jars, *folder.glob("*.java")], check=True, timeout=SECONDS)
    launcher = "org.junit.platform.console.ConsoleLauncher"
    return ["java", "-cp", f"{jars}:.", launcher, "--details=tree", "--scan-classpath=."]


TOOLS = {"pytest": pytest, "Vitest": vitest, "JUnit": junit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=TOOLS, help="only this section")
    parser.add_argument("gateway", help="the program of the mock gateway")
    options = parser.parse_args()
    environment = {**os.environ, "APEXMCP_MOCK_GATEWAY": str(Path(options.gateway).resolve())}
    found = examples()
    assert list(found) == list(TOOLS) and all(len(it) == 2 for it in found.values()), found.keys()
    for title in options.only or ["pytest", "Vitest"]:
        with tempfile.TemporaryDirectory(prefix="apexmcp-example-") as folder:
            folder = Path(folder)
            for name, text in found[title].items():
                (folder / name).write_text(text)
            command = [str(it) for it in TOOLS[title](folder)]
            done = subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS)
        if done.returncode != 0:
            print(f"{title}: failed with status {done.returncode}")
            return 1
        print(f"{title}: the example of the documentation runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
