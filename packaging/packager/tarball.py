"""The archives: a folder with the program and its documents. `cargo binstall` takes them too."""

from .archives import from_file, tar_gz, zipped
from .project import ROOT


def pack(build):
    for target, contents in build.contents.items():
        folder = contents.stem
        entries = [
            contents.program(f"{folder}/{target.program(build.project.name)}"),
            *contents.licenses(f"{folder}/"),
            from_file(f"{folder}/README.md", ROOT / "README.md"),
            from_file(f"{folder}/CHANGELOG.md", ROOT / "CHANGELOG.md"),
            *(from_file(f"{folder}/completions/{it.name}", it) for it in contents.completions()),
            *(from_file(f"{folder}/man/{it.name}", it) for it in contents.man()),
        ]
        pack_one = zipped if target.windows else tar_gz
        build.write(f"{folder}.{target.archive}", pack_one(entries, build.project.epoch))
