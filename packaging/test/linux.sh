#!/usr/bin/env bash
# Installs the packages of Linux distributions into a root of their own, and runs what is there.
#
#   packaging/test/linux.sh deb|rpm|tarball|image DIST
set -euo pipefail

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
kind=$1
dist=$(realpath "$2")
case $(uname -m) in
  x86_64) deb=amd64 rpm=x86_64 triple=x86_64-unknown-linux-musl ;;
  aarch64) deb=arm64 rpm=aarch64 triple=aarch64-unknown-linux-musl ;;
esac
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

talk() {
  python3 "$here/conversation.py" -- "$@" '{url}'
}

is_gone() {
  if [[ -n $(find "$root" -name '*apexmcp*' -not -path '*/var/lib/*' -print -quit) ]]; then
    find "$root" -name '*apexmcp*' >&2
    return 1
  fi
}

case $kind in
  deb)
    package=$(echo "$dist"/*_"$deb".deb)
    if command -v lintian >/dev/null; then
      # Nobody promises a bug number of Debian's, nor a package that Debian builds.
      lintian --allow-root --fail-on error,warning "$package"
    fi
    mkdir -p "$root"/var/lib/dpkg/{info,updates}
    touch "$root"/var/lib/dpkg/{status,available}
    # Recommended packages are not looked for by dpkg; required ones there are none.
    dpkg --root="$root" --log="$root/log" --install "$package"
    talk "$root/usr/bin/apexmcp-bridge"
    dpkg --root="$root" --log="$root/log" --verify apexmcp-bridge
    dpkg --root="$root" --log="$root/log" --purge apexmcp-bridge
    rm -f "$root/log"
    is_gone
    ;;
  rpm)
    package=$(echo "$dist"/*."$rpm".rpm)
    rpm --root "$root" --dbpath /var/lib/rpm -i --nosignature --ignorearch "$package"
    talk "$root/usr/bin/apexmcp-bridge"
    rpm --root "$root" --dbpath /var/lib/rpm -V --nodeps apexmcp-bridge
    rpm --root "$root" --dbpath /var/lib/rpm -e apexmcp-bridge
    is_gone
    ;;
  tarball)
    tar -C "$root" -xzf "$(echo "$dist"/apexmcp-bridge-*-"$triple".tar.gz)"
    talk "$(echo "$root"/*/apexmcp-bridge)"
    ;;
  image)
    export BUILDAH_ISOLATION=chroot
    buildah=(buildah --storage-driver vfs --root "$root/root" --runroot "$root/run")
    container=$("${buildah[@]}" from "oci-archive:$(echo "$dist"/*-linux-"$deb".oci.tar)")
    talk "${buildah[@]}" run --isolation chroot --network host --env 'APEXMCP_API_KEY={key}' \
      "$container" -- /apexmcp-bridge
    "${buildah[@]}" rm "$container" >/dev/null
    ;;
esac
