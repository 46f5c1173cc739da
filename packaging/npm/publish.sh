#!/usr/bin/env bash
# Publishes the packages of a folder to npm, the program's before the one that asks for them.
# For the release workflow; with `--dry-run` as the second argument nothing is published.
set -euo pipefail

dist=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../test"
# The npm that is tested with, and the Node.js that it needs.
for folder in node registry; do
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund)
done
node=$(echo "$PWD"/node/node_modules/node-linux-*/bin/node)
npm=("$node" registry/node_modules/npm/bin/npm-cli.js)

# The name of the main package has a digit where those of the others have a system.
main=("$dist"/apexmcp-bridge-[0-9]*.tgz)
for package in "$dist"/apexmcp-bridge-[a-z]*.tgz "${main[@]}"; do
  "${npm[@]}" publish "$package" --access public "${@:2}"
done
