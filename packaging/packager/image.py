"""OCI images: the program, the authorities that it trusts, and nothing else."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .archives import from_file, tarred
from .project import TEMPLATES

# Of Debian's package `ca-certificates`.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def pack(build):
    project = build.project
    for target, contents in build.contents.items():
        if not target.oci:
            continue
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(contents.file, f"{folder}/{project.name}")
            shutil.copy(AUTHORITIES, f"{folder}/ca-certificates.crt")
            for entry in contents.licenses(f"{folder}/"):
                Path(entry.path).write_bytes(entry.data)
            image = build_image(project, target, Path(folder))
        name = f"{project.name}-{project.version}-linux-{target.oci}.oci.tar"
        build.write(name, tarred(image, project.epoch))


def build_image(project, target, folder):
    """The files of an OCI layout. Buildah's own archive of them would tell when it was made."""
    labels = {
        "title": project.name,
        "description": project.summary,
        "version": str(project.version),
        "licenses": project.license,
        "url": project.homepage,
        "source": project.repository,
    }
    tag = f"{project.image}:{project.version}-{target.oci}"
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
    # A store of its own: nothing of the machine gets in, and nothing stays.
    with tempfile.TemporaryDirectory() as store:
        buildah = ["buildah", "--storage-driver", "vfs",
                   "--root", f"{store}/root", "--runroot", f"{store}/run"]
        run([*buildah, "build", "--quiet", "--identity-label=false",
             "--timestamp", str(project.epoch), "--platform", f"linux/{target.oci}",
             "--file", str(TEMPLATES / "image/Containerfile"), "--tag", tag,
             *(f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items()),
             str(folder)], environment)
        layout = Path(store) / "layout"
        run([*buildah, "push", "--quiet", tag, f"oci:{layout}:{tag}"], environment)
        files = [it for it in layout.rglob("*") if it.is_file()]
        return [from_file(str(it.relative_to(layout)), it) for it in files]


def run(command, environment):
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} failed:\n{done.stdout}")
