"""PyPI: wheels with nothing but the program, put where `pip` and `uvx` expect commands."""

import base64
import hashlib

from .archives import Entry, zipped
from .project import ROOT


def pack(build):
    project = build.project
    stem = f"{project.name.replace('-', '_')}-{project.version.python}"
    for target, contents in build.contents.items():
        info = f"{stem}.dist-info"
        name = target.program(project.name)
        entries = [
            contents.program(f"{stem}.data/scripts/{name}"),
            *contents.licenses(f"{info}/licenses/"),
            # PEP 770.
            Entry(f"{info}/sboms/{project.name}.cdx.json", contents.crates.sbom()),
            Entry(f"{info}/METADATA", metadata(project).encode()),
            Entry(f"{info}/WHEEL", tags(target).encode()),
        ]
        entries.append(Entry(f"{info}/RECORD", record(entries, info).encode()))
        build.write(f"{stem}-py3-none-{target.wheel}.whl", zipped(entries, project.epoch))


def metadata(project):
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project.name}",
        f"Version: {project.version.python}",
        f"Summary: {project.summary}",
        f"Keywords: {','.join(project.keywords)}",
        f"License-Expression: {project.license}",
        *(f"License-File: {it}" for it in
          ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES.txt")),
        f"Project-URL: Homepage, {project.homepage}",
        f"Project-URL: Source, {project.repository}",
        "Requires-Python: >=3.8",
        "Description-Content-Type: text/markdown",
        "",
        (ROOT / "README.md").read_text(),
        # By this the MCP registry knows whose package it is.
        f"<!-- mcp-name: {project.mcp_registry} -->",
        "",
    ]
    return "\n".join(lines)


def tags(target):
    # `a.b` in the file's name stands for both.
    lines = ["Wheel-Version: 1.0", "Generator: packaging/build", "Root-Is-Purelib: false"]
    lines += [f"Tag: py3-none-{platform}" for platform in target.wheel.split(".")]
    return "\n".join(lines) + "\n"


def record(entries, info):
    lines = []
    for entry in entries:
        digest = base64.urlsafe_b64encode(hashlib.sha256(entry.data).digest()).rstrip(b"=").decode()
        lines.append(f"{entry.path},sha256={digest},{len(entry.data)}")
    return "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
