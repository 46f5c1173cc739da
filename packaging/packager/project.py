"""The one source of every version, name and address: `Cargo.toml`."""

import os
import re
import subprocess
import time
import tomllib
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "packaging"

# Where there is no commit to take the time from; the oldest that a zip can hold.
OLDEST = 315532800


class Project:
    """What is packaged."""

    def __init__(self, manifest=ROOT / "Cargo.toml"):
        package = tomllib.loads(Path(manifest).read_text())["package"]
        self.metadata = package["metadata"]
        own = self.metadata["packaging"]
        self.name = package["name"]
        self.version = Version(package["version"])
        self.description = package["description"].replace("`", "")
        self.license = package["license"]
        self.keywords = package["keywords"]
        self.homepage = package["homepage"]
        self.repository = package["repository"]
        self.rust = package["rust-version"]
        self.placeholders = own["placeholders"]
        self.image = own["image"]
        self.maintainer = own["maintainer"]
        self.mcp_registry = own["mcp-registry"]
        self.npm_scope = own["npm-scope"]
        self.publisher = own["publisher"]
        self.title = own["title"]
        self.winget = own["winget"]

    @property
    def summary(self):
        """The description without what only some readers know."""
        return self.description.split(":")[0]

    @cached_property
    def epoch(self):
        """Seconds since 1970 of everything that is packed: of the commit, unless told."""
        given = os.environ.get("SOURCE_DATE_EPOCH")
        if given is None:
            log = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
            given = subprocess.run(log, capture_output=True, text=True).stdout.strip()
        return max(int(given or OLDEST), OLDEST)

    @property
    def date(self):
        """The day of that, YYYY-MM-DD."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.epoch))

    def release(self, file):
        """Where a file of this release will be."""
        return f"{self.repository}/releases/download/v{self.version}/{file}"

    def values(self):
        """What templates may name."""
        maintainer = re.fullmatch(r"(.+) <(.+)>", self.maintainer)
        return {
            "NAME": self.name,
            "VERSION": str(self.version),
            "DEB_VERSION": self.version.debian,
            "RPM_VERSION": self.version.rpm,
            "AUR_VERSION": self.version.aur,
            "PYTHON_VERSION": self.version.python,
            "DESCRIPTION": self.description,
            "SUMMARY": self.summary,
            "LICENSE": self.license,
            "HOMEPAGE": self.homepage,
            "REPOSITORY": self.repository,
            "RELEASE": self.release("")[:-1],
            "MAINTAINER": self.maintainer,
            "AUTHORS": maintainer[1],
            "PUBLISHER": self.publisher,
            "TITLE": self.title,
            "IMAGE": self.image,
            "MCP_REGISTRY": self.mcp_registry,
            "NPM_SCOPE": self.npm_scope,
            "WINGET": self.winget,
            "DATE": self.date,
            "YEAR": self.date[:4],
        }


class Version(str):
    """A version as Cargo writes it; other systems order and spell pre-releases differently."""

    def __new__(cls, text):
        if not re.fullmatch(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?", text):
            # More than this has no spelling that means the same everywhere.
            raise ValueError(f"the version {text!r} is neither X.Y.Z nor X.Y.Z-(alpha|beta|rc).N")
        return super().__new__(cls, text)

    @property
    def debian(self):
        """A tilde sorts before the end: the pre-release comes first."""
        return self.replace("-", "~")

    rpm = debian

    @property
    def aur(self):
        """No hyphen; a pre-release ends in a letter that vercmp puts before the release."""
        return re.sub(r"-(alpha|beta|rc)\.", r"\1", self)

    @property
    def python(self):
        """PEP 440."""
        for word, letter in (("-alpha.", "a"), ("-beta.", "b"), ("-rc.", "rc")):
            if word in self:
                return self.replace(word, letter)
        return str(self)


def render(template, values):
    """The text of a template with its `@NAME@`s filled in; one that is not known is an error."""
    text = (TEMPLATES / template).read_text()
    return re.sub(r"@([A-Z][A-Z0-9_]*)@", lambda found: str(values[found[1]]), text)
