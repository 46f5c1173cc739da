#!/usr/bin/env bash
# Whether the program depends on nothing but its source: compiles it once more, in a copy of the
# checkout elsewhere, and compares. Takes as long as a release build.
#
#   packaging/verify.sh [TRIPLE]    x86_64-unknown-linux-musl if none is named
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
triple=${1:-x86_64-unknown-linux-musl}
first=target/packaging/programs/$triple
[[ -d $first ]] || {
  echo "verify.sh: there is no program for $triple; packaging/build programs" >&2
  exit 1
}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git clone --quiet . "$copy"
# Its tools, which do not get into the program.
mkdir -p "$copy/target/packaging"
ln -s "$PWD/tests/peers/python/.venv" "$copy/tests/peers/python/.venv"
ln -s "$PWD/target/packaging/tools" "$copy/target/packaging/tools"
"$copy/packaging/build" programs "$triple"
sha256sum "$first"/* "$copy/$first"/*
for program in "$first"/*; do
  cmp "$program" "$copy/$program"
done
echo "the same"
