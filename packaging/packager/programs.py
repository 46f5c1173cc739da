"""Compiles the program for every system that can be built for from Linux, and its documents."""

import os
import shutil
import subprocess
import sys

from .project import ROOT
from .targets import MACOS, TARGETS

TARGET = ROOT / "target/packaging"
PROGRAMS = TARGET / "programs"
TOOLS = TARGET / "tools"
# cargo-zigbuild and Zig: the C compiler and linker for all of them; `tests/all` installs them.
VENV = ROOT / "tests/peers/python/.venv"
AUDITABLE = "0.7.7"


def compile_programs(project, triples=None):
    """Into `PROGRAMS/<triple>`; macOS needs Apple's own tools."""
    for target in TARGETS:
        if target.macos if triples is None else target.triple not in triples:
            continue
        (compile_universal if target.macos else compile_with_zig)(project, target)


def compile_with_zig(project, target):
    if not (VENV / "bin/cargo-zigbuild").exists():
        sys.exit("cargo-zigbuild is missing: `tests/all` installs it, or do it by hand:\n"
                 "  python3 -m venv tests/peers/python/.venv\n"
                 "  tests/peers/python/.venv/bin/pip install "
                 "-r tests/peers/python/requirements-tools.txt")
    cargo_build(project, "zigbuild", target.triple)
    take(project, target, built(project, target, target.triple))


def compile_universal(project, target):
    """On macOS only."""
    halves = []
    for processor in ("x86_64", "aarch64"):
        triple = f"{processor}-apple-darwin"
        cargo_build(project, "build", triple)
        halves.append(str(built(project, target, triple)))
    both = TARGET / "cargo" / project.name
    subprocess.run(["lipo", "-create", "-output", str(both), *halves], check=True)
    take(project, target, both)


def cargo_build(project, verb, triple):
    """A release build without the mock, with the list of its crates in it."""
    install_auditable()
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    # What a panic would name, and what makes two builds differ.
    flags = [f"--remap-path-prefix={home}=/cargo", f"--remap-path-prefix={ROOT}=/build"]
    path = [str(TOOLS / "bin"), str(VENV / "bin"), os.environ["PATH"]]
    environment = os.environ | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "PATH": os.pathsep.join(path),
        "SOURCE_DATE_EPOCH": str(project.epoch),
        "MACOSX_DEPLOYMENT_TARGET": MACOS,
    }
    command = ["cargo", "auditable", verb, "--release", "--locked", "--no-default-features",
               "--features", "slim", "--bin", project.name, "--target", triple, "--target-dir", str(TARGET / "cargo")]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def install_auditable():
    program = TOOLS / "bin" / f"cargo-auditable{'.exe' if os.name == 'nt' else ''}"
    stamp = TOOLS / f".cargo-auditable-{AUDITABLE}"
    if program.exists() and stamp.exists():
        return
    subprocess.run(["cargo", "install", "-q", "cargo-auditable", "--version", AUDITABLE,
                    "--locked", "--root", str(TOOLS)], check=True)
    stamp.touch()


def built(project, target, triple):
    return TARGET / "cargo" / triple / "release" / target.program(project.name)


def take(project, target, program):
    folder = PROGRAMS / target.triple
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(program, folder / target.program(project.name))


def find(project, folder):
    """The programs that there are, by target."""
    found = {}
    for target in TARGETS:
        program = folder / target.triple / target.program(project.name)
        if program.exists():
            found[target] = program
    return found


def write_documents(project, folder):
    """Manual pages and completions."""
    subprocess.run(["cargo", "run", "-q", "--locked", "--example", "manual", "--", str(folder),
                    project.date], check=True, cwd=ROOT)
