"""What is inside of the program: the crates of other people, as a list and with their licences."""

import json
import subprocess
import tomllib
from pathlib import Path

from .project import ROOT


class Crates:
    """What one target links, by the lock file."""

    def __init__(self, project, target):
        self._project = project
        # Both halves of the macOS program link the same.
        triple = target.triple.replace("universal2", "aarch64")
        command = ["cargo", "metadata", "--locked", "--format-version", "1",
                   "--no-default-features", "--features", "slim", "--filter-platform", triple]
        found = json.loads(subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout)
        self._root = found["resolve"]["root"]
        packages = {package["id"]: package for package in found["packages"]}
        nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
        self._uses = {}
        pending = [self._root]
        while pending:
            crate = pending.pop()
            if crate not in self._uses:
                self._uses[crate] = linked(nodes[crate])
                pending.extend(self._uses[crate])
        self._packages = {crate: packages[crate] for crate in self._uses}
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        self._checksums = {(it["name"], it["version"]): it.get("checksum") for it in lock}

    def sbom(self):
        """CycloneDX 1.6, the same for the same lock file."""
        root = self._packages[self._root]
        others = sorted((crate for crate in self._uses if crate != self._root), key=self._reference)
        document = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "timestamp": f"{self._project.date}T00:00:00Z",
                "component": self._component(root) | {"type": "application"},
            },
            "components": [self._component(self._packages[crate]) for crate in others],
            "dependencies": [
                {"ref": self._reference(crate),
                 "dependsOn": sorted(map(self._reference, self._uses[crate]))}
                for crate in [self._root, *others]
            ],
        }
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    def licenses(self):
        """The licence files of all crates, each text once."""
        texts = {}
        for crate in sorted(self._uses, key=self._reference):
            package = self._packages[crate]
            if crate == self._root:
                continue
            named = f"{package['name']} {package['version']}: {package['license']}"
            for text in license_texts(Path(package["manifest_path"]).parent) or [""]:
                texts.setdefault(text, []).append(named)
        parts = [f"{self._project.name} contains work of other people, under these licences.\n"]
        for text, crates in sorted(texts.items(), key=lambda it: it[1]):
            text = text or "(The package has no licence file beside that name.)\n"
            parts.append("\n".join(["-" * 80, *crates, "", text]))
        return "\n".join(parts).encode()

    def _reference(self, crate):
        package = self._packages[crate]
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def _component(self, package):
        reference = f"pkg:cargo/{package['name']}@{package['version']}"
        component = {
            "type": "library",
            "bom-ref": reference,
            "name": package["name"],
            "version": package["version"],
            "purl": reference,
        }
        if package["license"]:
            # A slash was how Cargo wrote `OR` once.
            expression = package["license"].replace("/", " OR ")
            component["licenses"] = [{"expression": expression}]
        checksum = self._checksums.get((package["name"], package["version"]))
        if checksum:
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return component


def linked(node):
    """Without what only builds and tests use."""
    return [it["pkg"] for it in node["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])]


def license_texts(folder):
    names = ("licen", "copying", "unlicense", "notice")
    files = sorted(it for it in folder.iterdir() if it.is_file() and it.name.lower().startswith(names))
    texts = (file.read_text(errors="replace").replace("\r\n", "\n").strip() + "\n" for file in files)
    return list(dict.fromkeys(texts))
