"""npm: a package with a small script, and one package for each system with the program in it.

Nothing runs when they are installed: npm 12 would not let it.
"""

import json

from .archives import Entry, from_file, tar_gz
from .project import ROOT, render
from .targets import TARGETS


def pack(build):
    project = build.project
    for target, contents in build.contents.items():
        program = f"package/bin/{target.program(project.name)}"
        entries = [
            package_json(platform(project, target)),
            contents.program(program),
            *contents.licenses("package/"),
            Entry("package/README.md", platform_readme(project, target).encode()),
        ]
        name = file_name(project, platform_name(project, target))
        build.write(name, tar_gz(entries, project.epoch))
    entries = [
        package_json(main(project)),
        Entry("package/bin/apexmcp-bridge.cjs", script(project).encode(), executable=True),
        from_file("package/README.md", ROOT / "README.md"),
        *(from_file(f"package/{it}", ROOT / it) for it in ("LICENSE-APACHE", "LICENSE-MIT")),
    ]
    build.write(file_name(project, project.name), tar_gz(entries, project.epoch))


def main(project):
    # The name of the program too, or `npx` would not find it.
    return common(project, project.name) | {
        "bin": {project.name: "bin/apexmcp-bridge.cjs"},
        # By this the MCP registry knows whose package it is.
        "mcpName": project.mcp_registry,
        "optionalDependencies": {
            platform_name(project, target): str(project.version) for target in TARGETS
        },
        "engines": {"node": ">=18"},
    }


def platform(project, target):
    return common(project, platform_name(project, target)) | {
        "os": [target.npm_os],
        "cpu": list(target.npm_cpu),
        "preferUnplugged": True,
    }


def common(project, name):
    return {
        "name": name,
        "version": str(project.version),
        "description": project.summary,
        "keywords": project.keywords,
        "license": f"({project.license})",
        "homepage": project.homepage,
        "repository": {"type": "git", "url": f"git+{project.repository}.git"},
        "publishConfig": {"access": "public"},
    }


def platform_name(project, target):
    return f"{project.npm_scope}/{target.npm}"


def platform_readme(project, target):
    return f"The program of [{project.name}]({project.repository}) for {target.triple}.\n"


def script(project):
    programs = {
        f"{target.npm_os} {cpu}": f"{platform_name(project, target)}/bin/{target.program(project.name)}"
        for target in TARGETS
        for cpu in target.npm_cpu
    }
    table = json.dumps(programs, indent=2)
    return render("npm/apexmcp-bridge.cjs.in", project.values() | {"PROGRAMS": table})


def package_json(members):
    text = json.dumps(members, indent=2) + "\n"
    return Entry("package/package.json", text.encode())


def file_name(project, package):
    """As `npm pack` names it."""
    return f"{package.lstrip('@').replace('/', '-')}-{project.version}.tgz"
