#!/usr/bin/env bash
# Installs and runs what `packaging/build` made, as far as this machine can.
#
#   packaging/test/all.sh            everything; builds what is missing, which takes minutes
#   packaging/test/all.sh --fast     npm, wheel, bundle, documents and workflow, with the debug program
#   packaging/test/all.sh --install  on Debian: install what is missing first, as root or with sudo
#
# Each installed program answers `initialize` and `tools/list` through the mock gateway. What
# cannot be done here is skipped with its reason, and does not count as passed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
HERE=packaging/test
VENV=$HERE/.venv
PYTHON=$VENV/bin/python
TARGET=target/packaging
NAME=apexmcp-bridge
# Debian's names of what the steps look for.
PACKAGES=(binutils buildah dpkg-dev fish lintian makepkg man-db mandoc nix-bin python3-venv
  qemu-user-static rpm ruby wine wine64 zsh)
# What compiles for other systems; `tests/all` puts more into the same place.
TOOLS=tests/peers/python

passed=0
failed=0
skipped=0

# A step may skip itself: 77, as in Automake, with the reason as its last line.
step() {
  local title=$1 begin=$SECONDS output status=0
  shift
  printf '=== %s\n' "$title"
  output=$(mktemp)
  set +e
  (set -e && "$@") 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  set -e
  case $status in
    0)
      passed=$((passed + 1))
      printf '=== %s: ok, %d s\n' "$title" $((SECONDS - begin))
      ;;
    77)
      skipped=$((skipped + 1))
      printf '=== %s: skipped: %s\n' "$title" "$(tail -n 1 "$output")"
      ;;
    *)
      failed=$((failed + 1))
      printf '=== %s: FAILED after %d s\n' "$title" $((SECONDS - begin))
      ;;
  esac
  rm -f "$output"
}

skip() {
  printf '%s\n' "$*"
  exit 77
}

needs() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || skip "$program is not installed"
  done
}

# --- What is fetched; all of it is pinned

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  local sudo=()
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"
}

# The compilers: Zig, and Rust's std for each system that `packaging/build programs` builds for.
install_compilers() {
  local triples
  if [[ ! -x $TOOLS/.venv/bin/cargo-zigbuild || ! -x $TOOLS/.venv/bin/shellcheck ]]; then
    rm -rf "$TOOLS/.venv"
    python3 -m venv "$TOOLS/.venv"
    "$TOOLS/.venv/bin/python" -m pip install -q --disable-pip-version-check \
      -r "$TOOLS/requirements-tools.txt"
  fi
  mapfile -t triples < <(packaging/build triples)
  rustup target add "${triples[@]}"
}

install_python() {
  local stamp=$VENV/.installed now
  now=$(cat "$HERE/requirements.txt" <(python3 --version) <(pwd) | sha256sum)
  if [[ ! -f $stamp || $(<"$stamp") != "$now" ]]; then
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$PYTHON" -m pip install -q --disable-pip-version-check -r "$HERE/requirements.txt"
    printf '%s\n' "$now" >"$stamp"
  fi
}

install_node() {
  local folder=$HERE/$1 stamp=$HERE/$1/node_modules/.installed now
  now=$(cat "$folder/package-lock.json" <(node --version) | sha256sum)
  if [[ ! -f $stamp || $(<"$stamp") != "$now" ]]; then
    # What npm warns of here is that the system's Node is older than the one that is fetched.
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    printf '%s\n' "$now" >"$stamp"
  fi
}

prepare() {
  install_python
  install_node node
  cargo build -q --locked --bins
}

# --- The steps

# As a release, but of the debug program; what depends on the C library says so to nobody.
pack_debug() {
  local programs=$TARGET/fast/programs
  local folder
  folder=$programs/$(uname -m)-unknown-linux-musl
  mkdir -p "$folder"
  strip -o "$folder/$NAME" "target/debug/$NAME"
  packaging/build packages --programs "$programs" --out "$1" \
    --channel tarball --channel npm --channel wheel --channel mcpb --channel manifests
}

pack_release() {
  if [[ ! -f $TARGET/programs/x86_64-unknown-linux-musl/$NAME ]]; then
    packaging/build programs
  fi
  packaging/build packages --out "$1"
}

documents() {
  local man=$1/man completions=$1/completions page flag verb value line
  # Every flag and every verb of the help is there.
  while read -r flag; do
    grep -qe "${flag//-/\\\\-}" "$man/$NAME.1" || { echo "$flag is not in the manual"; return 1; }
    grep -qe "$flag" "$completions/$NAME.bash" || { echo "$flag is not completed"; return 1; }
  done < <("target/debug/$NAME" --help | grep -oE '^ +--[a-z][a-z0-9-]+' | tr -d ' ')
  while read -r verb; do
    page=$man/$NAME-$verb.1
    while read -r flag value; do
      line="\\fB${flag//-/\\-}\\fR${value:+ $value}"
      grep -qxF -e "$line" "$page" || { echo "$flag $value is not in $page"; return 1; }
    done < <("target/debug/$NAME" "$verb" --help | grep -oE '^ +--[a-z-]+( <[^>]+>)?')
  done < <("target/debug/$NAME" --help | sed -n '/^Verbs/,/^$/s/^  \([a-z]*\) .*/\1/p')
  if command -v man >/dev/null; then
    for page in "$man"/*; do
      man -l -Tutf8 "$page" >/dev/null
    done
  else
    echo 'man is not installed: the pages were not set'
  fi
  bash -n "$completions/$NAME.bash"
  completes_in_bash "$completions/$NAME.bash"
}

completes_in_bash() {
  local found
  found=$(bash -c '
    source "$1"
    [[ $(complete -p apexmcp-bridge) =~ -F\ ([^ ]+) ]]
    COMP_WORDS=(apexmcp-bridge logout --forget) COMP_CWORD=2
    "${BASH_REMATCH[1]}" apexmcp-bridge --forget logout
    printf "%s" "${COMPREPLY[*]}"' - "$1")
  [[ $found == --forget-client ]] || { echo "bash completes: $found"; return 1; }
}

judge_documents() {
  needs mandoc zsh fish
  local page
  for page in "$TARGET"/documents/man/*; do
    # Style is a matter of taste: clap_mangen has its own, such as long lines.
    mandoc -T lint -W warning "$page"
  done
  zsh -n "$TARGET/documents/completions/_$NAME"
  fish -n "$TARGET/documents/completions/$NAME.fish"
}

workflow() {
  local file=.github/workflows/release.yml
  "$VENV/bin/check-jsonschema" --builtin-schema vendor.github-workflows "$file"
  "$VENV/bin/zizmor" --offline --no-progress --persona=auditor "$file"
  grep -q "RUST: \"$(grep -oP '^rust-version = "\K[0-9.]+' Cargo.toml)" "$file" || {
    echo "the workflow's Rust is not the one of Cargo.toml"
    return 1
  }
}

scripts() {
  local shellcheck=$TOOLS/.venv/bin/shellcheck
  [[ -x $shellcheck ]] || skip "shellcheck is not installed; tests/all installs it"
  "$shellcheck" packaging/*.sh packaging/*/*.sh
  sed 's/@[A-Z_]*@/x/g' packaging/mcpb/launch.sh.in | "$shellcheck" -
}

linux() {
  case $1 in
    deb) needs dpkg ;;
    rpm) needs rpm ;;
    image) needs buildah ;;
  esac
  "$HERE/linux.sh" "$1" "$2"
}

# Not its program: that is the same by `packaging/verify.sh`, in ten minutes.
packed_twice() {
  local second=$TARGET/second name differs=0
  packaging/build packages --out "$second" >/dev/null
  for name in "$1"/*; do
    if [[ -f $name ]] && ! cmp -s "$name" "$second/${name##*/}"; then
      echo "${name##*/} differs"
      differs=1
    fi
  done
  rm -rf "$second"
  return "$differs"
}

crate() {
  cargo package --locked --no-verify --allow-dirty --quiet
  local listed
  listed=$(cargo package --locked --allow-dirty --list)
  grep -qx README.md <<<"$listed"
  if grep -E '^(packaging|\.github|\.ci)/' <<<"$listed"; then
    echo "these need not be in the crate"
    return 1
  fi
}

size() {
  # 8 MB is the most that it may be.
  local bytes
  bytes=$(stat -c %s "$TARGET/programs/x86_64-unknown-linux-musl/$NAME")
  echo "$bytes bytes"
  ((bytes <= 8000000))
}

nothing_of_this_machine() {
  local file=$TARGET/programs/x86_64-unknown-linux-musl/$NAME
  if grep -aoF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$file" | sort | uniq -c | grep .; then
    return 1
  fi
}

audited() {
  local file=$TARGET/programs/x86_64-unknown-linux-musl/$NAME
  needs objcopy
  objcopy -O binary --only-section=.dep-v0 --set-section-flags .dep-v0=alloc "$file" /dev/stdout |
    python3 -c '
import json, sys, zlib
crates = json.loads(zlib.decompress(sys.stdin.buffer.read()))["packages"]
print(len(crates), "crates are listed in the program")
assert 50 < len(crates)'
}

arm64() {
  local file=$TARGET/programs/aarch64-unknown-linux-musl/$NAME
  [[ -f $file ]] || skip "it is not built: packaging/build programs"
  needs qemu-aarch64-static
  python3 "$HERE/conversation.py" -- qemu-aarch64-static "$PWD/$file" '{url}'
}

windows() {
  local file=$TARGET/programs/x86_64-pc-windows-gnu/$NAME.exe
  [[ -f $file ]] || skip "it is not built: packaging/build programs"
  needs wine
  # Rust's std takes its random numbers from there.
  [[ -n $(find /usr/lib /opt -name bcryptprimitives.dll -print -quit 2>/dev/null) ]] ||
    skip "this Wine has no bcryptprimitives.dll (Debian 12's, 8.0, has not)"
  # One for all times: making it takes longer than the test.
  export WINEPREFIX=$PWD/$TARGET/wine WINEDEBUG=-all
  timeout 300 wine wineboot --init >/dev/null 2>&1
  python3 "$HERE/conversation.py" --env "WINEPREFIX=$WINEPREFIX" --env WINEDEBUG=-all -- \
    wine "$PWD/$file" '{url}'
}

main() {
  local fast='' dist=$TARGET/dist kind
  while (($#)); do
    case $1 in
      --fast) fast=1 ;;
      --install)
        install_packages
        install_compilers
        ;;
      *)
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
    esac
    shift
  done
  exec </dev/null

  prepare
  if [[ $fast ]]; then
    dist=$TARGET/fast/dist
    step 'packed' pack_debug "$dist"
  else
    step 'packed' pack_release "$dist"
  fi
  if ((failed == 0)); then
    step 'all agree with Cargo.toml' python3 "$HERE/agree.py" "$dist"
    step 'npm from files' python3 "$HERE/npm.py" "$dist"
    step 'wheel' python3 "$HERE/wheel.py" "$dist"
    step 'bundle for Claude Desktop' python3 "$HERE/mcpb.py" "$dist"
    step 'manual and completions' documents "${dist%/dist}/documents"
    step 'workflow' workflow
    step 'scripts' scripts
  fi
  if [[ ! $fast ]] && ((failed == 0)); then
    install_node registry
    step 'npm from a registry' python3 "$HERE/npm.py" "$dist" --registry
    for kind in tarball deb rpm image; do
      step "$kind" linux "$kind" "$dist"
    done
    step 'manifests and SBOM' "$PYTHON" "$HERE/manifests.py" "$dist"
    step 'manual and completions, judged' judge_documents
    step 'packed twice, the same' packed_twice "$dist"
    step 'crate' crate
    step 'size' size
    step 'no path of this machine in the program' nothing_of_this_machine
    step 'crates listed in the program' audited
    step 'Linux on arm64, emulated' arm64
    step 'Windows, in Wine' windows
  fi
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}

main "$@"
