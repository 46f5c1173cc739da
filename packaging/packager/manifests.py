"""What other people's repositories need: each names files of this release by address and hash."""

import json

from .archives import sha256
from .project import render
from .targets import TARGETS

# In place of the hash of a file that was not built, so that nothing can be installed by it.
NO_HASH = "0" * 64

# Template and place of what only needs names, versions and hashes filled in.
TEMPLATES = {
    "homebrew/apexmcp-bridge.rb.in": "homebrew/apexmcp-bridge.rb",
    "scoop/apexmcp-bridge.json.in": "scoop/apexmcp-bridge.json",
    "winget/version.yaml.in": "winget/{winget}.yaml",
    "winget/installer.yaml.in": "winget/{winget}.installer.yaml",
    "winget/locale.yaml.in": "winget/{winget}.locale.en-US.yaml",
    "aur/PKGBUILD.in": "aur/PKGBUILD",
    "aur/SRCINFO.in": "aur/.SRCINFO",
}


def pack(build):
    """Writes them all; the names of the files that were missing."""
    project = build.project
    hashes = Hashes(build.out)
    values = project.values() | {"DATE_OF_RELEASE": project.date}
    for target in TARGETS:
        name = target.triple.replace("-", "_").upper()
        file = f"{project.name}-{project.version}-{target.triple}.{target.archive}"
        values |= {f"FILE_{name}": file, f"SHA256_{name}": hashes.of(file)}
    folder = build.out / "manifests"
    for template, place in TEMPLATES.items():
        write(folder / place.format(winget=project.winget), render(template, values))
    write(folder / "mcp-registry/server.json", registry(project, hashes))
    return hashes.missing


class Hashes:
    def __init__(self, folder):
        self._folder = folder
        self.missing = []

    def of(self, name):
        file = self._folder / name
        if file.exists():
            return sha256(file)
        if name not in self.missing:
            self.missing.append(name)
        return NO_HASH


def registry(project, hashes):
    """The MCP registry's `server.json`."""
    server = {
        "type": "positional",
        "valueHint": "server",
        "description": "Slug of an ApexMCP organization, or the address of any MCP server",
        "isRequired": True,
    }
    key = {
        "name": "APEXMCP_API_KEY",
        "description": "API key; without it a browser opens to sign in",
        "isSecret": True,
    }
    shared = {
        "transport": {"type": "stdio"},
        "packageArguments": [server],
        "environmentVariables": [key],
    }
    version = str(project.version)
    bundle = f"apexmcp-{version}.mcpb"
    # The bundle asks its user for both itself.
    packages = [
        {"registryType": "npm", "identifier": project.name, "version": version, **shared},
        {
            "registryType": "pypi",
            "identifier": project.name,
            "version": project.version.python,
            **shared,
        },
        {"registryType": "oci", "identifier": f"{project.image}:{version}", **shared},
        {
            "registryType": "mcpb",
            "identifier": project.release(bundle),
            "fileSha256": hashes.of(bundle),
            "transport": {"type": "stdio"},
        },
    ]
    document = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": project.mcp_registry,
        "title": project.title,
        "description": project.summary,
        "version": version,
        "repository": {"url": project.repository, "source": "github"},
        "websiteUrl": project.homepage,
        "packages": packages,
    }
    return json.dumps(document, indent=2) + "\n"


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
