#!/usr/bin/env bash
# Signs a program with a Developer ID and has Apple notarize it. For the release workflow, which
# has the certificate; it was never run.
#
# A program with another kind of signature loses its access to the keychain at every upgrade.
set -euo pipefail

program=$1
folder=$(mktemp -d)
keychain=$folder/release.keychain-db
trap 'security delete-keychain "$keychain" || true; rm -rf "$folder"' EXIT

password=$(openssl rand -hex 24)
security create-keychain -p "$password" "$keychain"
security unlock-keychain -p "$password" "$keychain"
base64 --decode <<<"$CERTIFICATE" >"$folder/certificate.p12"
security import "$folder/certificate.p12" -k "$keychain" -P "$CERTIFICATE_PASSWORD" \
  -T /usr/bin/codesign
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" "$keychain"
codesign --keychain "$keychain" --sign "$IDENTITY" --options runtime --timestamp "$program"
codesign --verify --strict --verbose "$program"

base64 --decode <<<"$NOTARY_KEY" >"$folder/key.p8"
ditto -c -k "$program" "$folder/program.zip"
xcrun notarytool submit "$folder/program.zip" --wait \
  --key "$folder/key.p8" --key-id "$NOTARY_KEY_ID" --issuer "$NOTARY_ISSUER"
