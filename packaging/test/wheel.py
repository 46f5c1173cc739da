#!/usr/bin/env python3
"""The wheel of this machine: judged, installed by `pip`, started by `uvx`; without any network.

    packaging/test/wheel.py DIST
"""

import base64
import csv
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from conversation import Failure, converse

HERE = Path(__file__).resolve().parent
BIN = HERE / ".venv/bin"
NAME = "apexmcp-bridge"


def main():
    dist = Path(sys.argv[1]).resolve()
    wheels = sorted(str(it) for it in dist.glob("*.whl"))
    run([BIN / "twine", "check", "--strict", *wheels])
    # W007: a wheel with a program and no library is what this is.
    run([BIN / "check-wheel-contents", "--ignore", "W007", *wheels])
    for file in wheels:
        check_record(file)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run([sys.executable, "-m", "venv", "--without-pip", place / "venv"])
        offline = ["--no-index", "--find-links", dist]
        run([BIN / "pip", "--python", place / "venv/bin/python", "install", "-q", *offline, NAME])
        tools = converse([str(place / "venv/bin" / NAME), "{url}"])
        print(f"pip install: {len(tools)} tools")
        settings = {"UV_CACHE_DIR": str(place / "cache"), "UV_TOOL_DIR": str(place / "tools"),
                    "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
        uvx = [str(BIN / "uvx"), "--no-index", "--find-links", str(dist), NAME, "{url}"]
        for when in ("cold", "warm"):
            print(f"uvx, {when}: {len(converse(uvx, settings))} tools")


def check_record(file):
    """Installers trust it; some look whether it is right."""
    with zipfile.ZipFile(file) as wheel:
        (name,) = (it for it in wheel.namelist() if it.endswith(".dist-info/RECORD"))
        for path, digest, size in csv.reader(wheel.read(name).decode().splitlines()):
            if path == name:
                continue
            data = wheel.read(path)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            if (digest, size) != (f"sha256={found}", str(len(data))):
                raise Failure(f"{path} is not what RECORD says")
        listed = {line.split(",")[0] for line in wheel.read(name).decode().splitlines()}
        if listed != set(wheel.namelist()):
            raise Failure(f"RECORD and {file} differ")


def run(command):
    done = subprocess.run([str(it) for it in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=os.environ | {"NO_COLOR": "1"})
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))} failed:\n{done.stdout}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"wheel.py: {failure}")
