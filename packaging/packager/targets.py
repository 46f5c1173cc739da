"""What is built, and what every channel calls it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    # As Rust has it. `universal2` is both of Apple's, made with `lipo`.
    triple: str
    # The npm package without its scope, and the `os` and `cpu` that npm compares.
    npm: str
    npm_os: str
    npm_cpu: tuple[str, ...]
    # Of wheels, PEP 425.
    wheel: str
    # The folder in the Claude Desktop bundle, and the platform there.
    mcpb: str
    mcpb_platform: str
    # Debian's, RPM's and OCI's name of the processor; empty: there is no such package.
    deb: str = ""
    rpm: str = ""
    oci: str = ""

    @property
    def windows(self):
        return "windows" in self.triple

    @property
    def macos(self):
        return "apple" in self.triple

    @property
    def archive(self):
        return "zip" if self.windows else "tar.gz"

    def program(self, name):
        return f"{name}.exe" if self.windows else name


# The oldest macOS that is built for; the tag of the wheel says it too.
MACOS = "11.0"

# One static program does for every Linux, so npm need not look at the C library, and a wheel
# carries the tags of both.
TARGETS = (
    Target(
        triple="x86_64-unknown-linux-musl",
        npm="bridge-linux-x64",
        npm_os="linux",
        npm_cpu=("x64",),
        wheel="manylinux2014_x86_64.musllinux_1_1_x86_64",
        mcpb="linux-x64",
        mcpb_platform="linux",
        deb="amd64",
        rpm="x86_64",
        oci="amd64",
    ),
    Target(
        triple="aarch64-unknown-linux-musl",
        npm="bridge-linux-arm64",
        npm_os="linux",
        npm_cpu=("arm64",),
        wheel="manylinux2014_aarch64.musllinux_1_1_aarch64",
        mcpb="linux-arm64",
        mcpb_platform="linux",
        deb="arm64",
        rpm="aarch64",
        oci="arm64",
    ),
    Target(
        triple="x86_64-pc-windows-gnu",
        npm="bridge-win32-x64",
        npm_os="win32",
        npm_cpu=("x64",),
        wheel="win_amd64",
        mcpb="win32-x64",
        mcpb_platform="win32",
    ),
    Target(
        triple="universal2-apple-darwin",
        npm="bridge-darwin",
        npm_os="darwin",
        npm_cpu=("x64", "arm64"),
        wheel=f"macosx_{MACOS.replace('.', '_')}_universal2",
        mcpb="darwin",
        mcpb_platform="darwin",
    ),
)
