#!/usr/bin/env bash
# Pushes the images of a folder under one name. For the release workflow.
set -euo pipefail

dist=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
read -r image version < <(python3 -c '
from packager.project import Project
print(Project().image, Project().version)
')
export STORAGE_DRIVER=vfs
buildah login --username "$ACTOR" --password-stdin "${image%%/*}" <<<"$TOKEN"
buildah manifest create "$image:$version"
for archive in "$dist"/*.oci.tar; do
  buildah manifest add "$image:$version" "oci-archive:$archive"
done
for tag in "$version" latest; do
  buildah manifest push --all "$image:$version" "docker://$image:$tag"
done
