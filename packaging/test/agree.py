#!/usr/bin/env python3
"""Whether everything that was built says the same: version, names, addresses, hashes.

    packaging/test/agree.py DIST

What is in DIST is read as its users read it, and compared with `Cargo.toml`.
"""

import io
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "packaging"))

from packager.archives import sha256  # noqa: E402
from packager.manifests import NO_HASH  # noqa: E402
from packager.project import Project, Version  # noqa: E402
from packager.targets import TARGETS  # noqa: E402

PROJECT = Project()
VERSION = str(PROJECT.version)

# How a manifest says of which version it is, by its name or by its ending.
DECLARED = {
    "PKGBUILD": (r"^pkgver=(.+)$", PROJECT.version.aur),
    ".SRCINFO": (r"^\tpkgver = (.+)$", PROJECT.version.aur),
    ".rb": (r'^  version "(.+)"$', VERSION),
    ".json": (r'^  "version": "(.+)",$', VERSION),
    ".yaml": (r"^PackageVersion: (.+)$", VERSION),
}


def same(what, found, expected):
    if found != expected:
        sys.exit(f"agree.py: {what} is {found!r}, expected {expected!r}")


def versions_are_spelled_right():
    spelled = Version("1.20.3-rc.1")
    same("Debian's spelling", spelled.debian, "1.20.3~rc.1")
    same("RPM's spelling", spelled.rpm, "1.20.3~rc.1")
    same("Python's spelling", spelled.python, "1.20.3rc1")
    same("Arch's spelling", spelled.aur, "1.20.3rc1")
    for text in ("1.2", "1.2.3+build", "1.2.3-nightly"):
        try:
            Version(text)
        except ValueError:
            continue
        sys.exit(f"agree.py: {text} is no version that all of them can spell")


def nothing_is_released_under_a_name_that_is_not_ours():
    command = [ROOT / "packaging/build", "packages", "--tag", f"v{VERSION}-not"]
    other = subprocess.run(command, capture_output=True, text=True)
    same("the status of another tag", other.returncode, 1)
    if not PROJECT.placeholders:
        return
    command[-1] = f"v{VERSION}"
    refused = subprocess.run(command, capture_output=True, text=True)
    same("the status of a tag with placeholders", refused.returncode, 1)
    same("what it says", ", ".join(PROJECT.placeholders) in refused.stderr, True)


def npm_packages(dist):
    main = package_json(dist / f"{PROJECT.name}-{VERSION}.tgz")
    same("the npm package's version", main["version"], VERSION)
    same("its command", list(main["bin"]), [main["name"]])
    same("its scripts", main.get("scripts"), None)
    names = {f"{PROJECT.npm_scope}/{target.npm}": VERSION for target in TARGETS}
    same("its optional packages", main["optionalDependencies"], names)
    for name in names:
        file = dist / f"{name.lstrip('@').replace('/', '-')}-{VERSION}.tgz"
        if file.exists():
            package = package_json(file)
            same(f"the name in {file.name}", package["name"], name)
            same(f"the version of {name}", package["version"], VERSION)
            same(f"the scripts of {name}", package.get("scripts"), None)


def package_json(file):
    with tarfile.open(file) as tar:
        return json.load(tar.extractfile("package/package.json"))


def wheels(dist):
    found = sorted(dist.glob("*.whl"))
    if not found:
        sys.exit("agree.py: there is no wheel")
    for file in found:
        with zipfile.ZipFile(file) as wheel:
            names = [it for it in wheel.namelist() if it.endswith(".dist-info/METADATA")]
            metadata = wheel.read(names[0]).decode()
        same(f"the version in {file.name}", field(metadata, "Version"), PROJECT.version.python)
        same(f"the name in {file.name}", field(metadata, "Name"), PROJECT.name)


def field(text, name):
    return re.search(rf"^{name}: (.*)$", text, re.M)[1]


def bundle(dist):
    with zipfile.ZipFile(dist / f"apexmcp-{VERSION}.mcpb") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = set(archive.namelist())
    same("the bundle's version", manifest["version"], VERSION)
    for text in re.findall(r"\$\{__dirname\}/([^\"]+)", json.dumps(manifest)):
        same(f"{text} in the bundle", text in names, True)
    for name in re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(manifest)):
        same(f"the setting {name} of the bundle", name in manifest["user_config"], True)


def linux_packages(dist):
    for file in dist.glob("*.deb"):
        same(file.name, ask("dpkg-deb", "-f", file, "Version"), PROJECT.version.debian)
    for file in dist.glob("*.rpm"):
        found = ask("rpm", "-qp", "--nosignature", "--qf", "%{VERSION}", file)
        same(file.name, found, PROJECT.version.rpm)


def ask(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def archives(dist):
    """And what `cargo binstall` would look for, for every target."""
    template = PROJECT.metadata["binstall"]
    for target in TARGETS:
        mine = template | template["overrides"].get(target.triple, {})
        suffix = {"tgz": ".tar.gz", "zip": ".zip"}[mine["pkg-fmt"]]
        values = {
            "repo": PROJECT.repository, "name": PROJECT.name, "version": VERSION,
            "target": target.triple, "archive-suffix": suffix, "bin": PROJECT.name,
            "binary-ext": ".exe" if target.windows else "",
        }
        address, program = (fill(mine[key], values) for key in ("pkg-url", "bin-dir"))
        name = address.rsplit("/", 1)[1]
        same("binstall's address", address, PROJECT.release(name))
        stem = f"{PROJECT.name}-{VERSION}-{target.triple}"
        same("binstall's file", name, f"{stem}.{target.archive}")
        file = dist / name
        if file.exists():
            same(f"binstall's program in {name}", program in names_in(file), True)


def fill(template, values):
    return re.sub(r"\{ ([a-z-]+) \}", lambda found: values[found[1]], template)


def names_in(file):
    if file.suffix == ".zip":
        return zipfile.ZipFile(file).namelist()
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes())) as tar:
        return tar.getnames()


def manifests(dist):
    """Every address is of this release, and what is there has the hash beside it."""
    hashes = {it.name: sha256(it) for it in dist.iterdir() if it.is_file()}
    seen = set()
    for file in sorted((dist / "manifests").rglob("*")):
        if not file.is_file():
            continue
        text = file.read_text()
        left = re.search(r"@[A-Z][A-Z0-9_]*@", text)
        same(f"what is not filled in in {file.name}", left, None)
        pattern, version = DECLARED.get(file.name) or DECLARED[file.suffix]
        same(f"the version in {file.name}", re.search(pattern, text, re.M)[1], version)
        for address in re.findall(r"https?://[^\s\"']*/releases/download/[^\s\"']+", text):
            if "$version" in address:
                continue
            name = address.rsplit("/", 1)[1]
            same(f"an address in {file.name}", address, PROJECT.release(name))
            expected = hashes.get(name, NO_HASH)
            same(f"the hash of {name} in {file.name}", expected in text, True)
            seen.add(name)
    same("that manifests name files", bool(seen & set(hashes)), True)


def nix():
    text = (ROOT / "packaging/nix/package.nix").read_text()
    same("a version in package.nix", re.search(r"version = \"", text), None)


def sums(dist):
    listed = dist / "SHA256SUMS"
    if listed.exists():
        for line in listed.read_text().splitlines():
            expected, name = line.split("  ")
            same(f"the sum of {name}", sha256(dist / name), expected)


def changelog():
    """A version that is released has its section."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    text = (ROOT / "CHANGELOG.md").read_text()
    named = f"## {package['version']}" in text or "## Unreleased" in text
    same("that CHANGELOG.md tells of this version", named, True)


def main():
    dist = Path(sys.argv[1]).resolve()
    versions_are_spelled_right()
    nothing_is_released_under_a_name_that_is_not_ours()
    npm_packages(dist)
    wheels(dist)
    bundle(dist)
    linux_packages(dist)
    archives(dist)
    manifests(dist)
    nix()
    sums(dist)
    changelog()
    print(f"all in {dist} is of {PROJECT.name} {VERSION}")


if __name__ == "__main__":
    main()
