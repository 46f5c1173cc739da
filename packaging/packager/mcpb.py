"""The bundle for Claude Desktop: one file for every system, installed by opening it."""

import json

from .archives import Entry, from_file, zipped
from .project import TEMPLATES, render


def pack(build):
    project = build.project
    programs, licenses, platforms = [], [], set()
    for target, contents in build.contents.items():
        name = target.program(project.name)
        programs.append(contents.program(f"server/{target.mcpb}/{name}"))
        *own, third_party = contents.licenses()
        licenses.append(Entry(f"server/{target.mcpb}/{third_party.path}", third_party.data))
        platforms.add(target.mcpb_platform)
    manifest = json.loads(render("mcpb/manifest.json.in", project.values()))
    manifest["compatibility"] = {"platforms": sorted(platforms)}
    if "win32" not in platforms:
        del manifest["server"]["mcp_config"]["platform_overrides"]
    if platforms == {"win32"}:
        raise SystemExit("a bundle for Windows alone has nothing to start on the other systems")
    text = json.dumps(manifest, indent=2) + "\n"
    launcher = render("mcpb/launch.sh.in", project.values())
    entries = [
        Entry("manifest.json", text.encode()),
        from_file("icon.png", TEMPLATES / "mcpb/icon.png"),
        Entry("server/launch.sh", launcher.encode(), executable=True),
        *programs,
        *own,
        *licenses,
    ]
    build.write(f"apexmcp-{project.version}.mcpb", zipped(entries, project.epoch))
