"""Packages of Debian and of Fedora and its like: one tree, packed twice."""

import hashlib
import os
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path

from .archives import Entry, from_file, gz
from .project import ROOT, render


def tree(build, contents):
    """What both install, with paths from the root."""
    name = build.project.name
    share = "usr/share"
    return [
        contents.program(f"usr/bin/{name}"),
        *(Entry(f"{share}/man/man1/{it.name}.gz", gz(it.read_bytes())) for it in contents.man()),
        from_file(f"{share}/bash-completion/completions/{name}", contents.completion("bash")),
        from_file(f"{share}/fish/vendor_completions.d/{name}.fish", contents.completion("fish")),
    ]


def debs(build):
    for target, contents in build.contents.items():
        if target.deb:
            deb(build, target, contents)


def deb(build, target, contents):
    project = build.project
    name, doc = project.name, f"usr/share/doc/{project.name}"
    entries = [
        *tree(build, contents),
        from_file(f"usr/share/zsh/vendor-completions/_{name}", contents.completion("zsh")),
        from_file(f"{doc}/README.md", ROOT / "README.md"),
        *(it for it in contents.licenses(f"{doc}/") if "THIRD-PARTY" in it.path),
        Entry(f"{doc}/copyright", render("debian/copyright.in", project.values()).encode()),
        Entry(f"{doc}/changelog.gz", gz(debian_changelog(project).encode())),
        from_file(f"usr/share/lintian/overrides/{name}", ROOT / "packaging/debian/lintian-overrides"),
    ]
    size = sum(len(entry.data) for entry in entries) // 1024 + 1
    values = project.values() | {"ARCHITECTURE": target.deb, "SIZE": size}
    sums = "".join(f"{md5(entry.data)}  {entry.path}\n" for entry in sorted(entries, key=path_of))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        unpack(root, entries)
        unpack(root, [
            Entry("DEBIAN/control", render("debian/control.in", values).encode()),
            Entry("DEBIAN/md5sums", sums.encode()),
        ])
        file = build.out / f"{name}_{project.version.debian}_{target.deb}.deb"
        # The format that every Debian reads; its default needs dpkg 1.21 on some others.
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(file)]
        run(command, project)


def debian_changelog(project):
    when = formatdate(project.epoch)
    values = project.values() | {"WHEN": when}
    return render("debian/changelog.in", values)


def rpms(build):
    for target, contents in build.contents.items():
        if target.rpm:
            rpm(build, target, contents)


def rpm(build, target, contents):
    project = build.project
    name = project.name
    entries = [
        *tree(build, contents),
        from_file(f"usr/share/zsh/site-functions/_{name}", contents.completion("zsh")),
        from_file(f"usr/share/doc/{name}/README.md", ROOT / "README.md"),
        *contents.licenses(f"usr/share/licenses/{name}/"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        unpack(top / "tree", entries)
        # The folders of its own; all others belong to the system.
        own = [f"%dir %attr(0755, root, root) /usr/share/{it}/{name}" for it in ("doc", "licenses")]
        files = "\n".join([*own, *(rpm_file(entry) for entry in sorted(entries, key=path_of))])
        values = project.values() | {"FILES": files, "TREE": top / "tree"}
        spec = top / f"{name}.spec"
        spec.write_text(render("rpm/apexmcp-bridge.spec.in", values))
        run(["rpmbuild", "-bb", "--quiet", "--target", target.rpm,
             "--define", f"_topdir {top}", "--define", f"_rpmdir {build.out}",
             "--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
             str(spec)], project)


def rpm_file(entry):
    kind = "%license " if "/licenses/" in entry.path else "%doc " if "/doc/" in entry.path else ""
    return f"{kind}%attr({entry.mode:04o}, root, root) /{entry.path}"


def path_of(entry):
    return entry.path


def md5(data):
    return hashlib.md5(data).hexdigest()


def unpack(root, entries):
    for entry in entries:
        file = root / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.data)
        file.chmod(entry.mode)
    # Whatever the umask is.
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)


def run(command, project):
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(project.epoch), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}")
