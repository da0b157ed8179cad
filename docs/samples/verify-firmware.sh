#!/bin/sh
# Checks on a device that a downloaded firmware is what its maker released. Needs OpenSSL 3, sha256sum and base64.
#
#   verify-firmware.sh FILE PUBLIC_KEY PRODUCT MODULE VERSION SIGNATURE
#
# FILE        the downloaded firmware
# PUBLIC_KEY  raw Ed25519 key in base64, built into the device: never taken from a message
# PRODUCT     the device's own product key
# MODULE      `module` of the notification's data; "default" where it has none
# VERSION     `version` of the notification's data; check before that it is newer than what runs
# SIGNATURE   `extData.signature` of the notification's data
set -eu
file=$1 public_key=$2 product=$3 module=$4 version=$5 signature=$6

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What was signed, from what the device knows itself: size and digest are those of the file that is here.
printf 'ferry-firmware-v1\nproduct:%s\nmodule:%s\nversion:%s\nsize:%s\nsha256:%s\n' \
  "$product" "$module" "$version" "$(wc -c < "$file" | tr -d ' ')" "$(sha256sum < "$file" | cut -d' ' -f1)" \
  > "$work/statement"

# The fixed head of an Ed25519 public key in DER [RFC 8410], then its 32 bytes.
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf '%s' "$public_key" | base64 -d; } > "$work/key.der"
printf '%s' "$signature" | base64 -d > "$work/signature"

openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/statement" -sigfile "$work/signature"
