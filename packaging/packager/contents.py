"""What every package holds, whatever its form."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .archives import Entry, from_file
from .crates import Crates
from .project import ROOT


@dataclass
class Build:
    """One run: what is packaged, from where, and into where."""

    project: object
    # By target.
    programs: dict
    documents: Path
    out: Path

    @cached_property
    def contents(self):
        return {target: Contents(self, target) for target in self.programs}

    def write(self, name, data):
        """A file of the release."""
        file = self.out / name
        file.write_bytes(data)
        return file


class Contents:
    """Of one target."""

    def __init__(self, build, target):
        project = build.project
        self.target = target
        self.file = build.programs[target]
        self.stem = f"{project.name}-{project.version}-{target.triple}"
        self._build = build
        self._crates = None

    def program(self, path):
        return from_file(path, self.file, executable=True)

    def licenses(self, folder=""):
        """Ours, and those of what is inside."""
        own = [from_file(f"{folder}{it}", ROOT / it) for it in ("LICENSE-APACHE", "LICENSE-MIT")]
        return [*own, Entry(f"{folder}THIRD-PARTY-LICENSES.txt", self._third_party)]

    def man(self):
        return sorted((self._build.documents / "man").iterdir())

    def completions(self):
        return sorted((self._build.documents / "completions").iterdir())

    def completion(self, shell):
        """The file of a shell: bash, elvish, fish, powershell or zsh."""
        name = self._build.project.name
        files = {"bash": f"{name}.bash", "elvish": f"{name}.elv", "fish": f"{name}.fish",
                 "powershell": f"_{name}.ps1", "zsh": f"_{name}"}
        return self._build.documents / "completions" / files[shell]

    @cached_property
    def crates(self):
        return Crates(self._build.project, self.target)

    @cached_property
    def _third_party(self):
        return self.crates.licenses()
