#!/usr/bin/env bash
# Builds an image and makes a picture in it without a container engine: buildah with plain folders and
# chroot, on a base made by debootstrap. Needs root and the Debian packages buildah and debootstrap.
#
#   docker/build-with-buildah.sh [cpu|cuda]
set -euo pipefail
device=${1:-cpu}
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

if ! buildah inspect debian:bookworm-slim >/dev/null 2>&1; then
  echo "== base: debootstrap bookworm"
  debootstrap --variant=minbase bookworm "$work/root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail "$work/debootstrap.log" && exit 1; }
  # What bookworm-slim leaves out.
  rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/* \
    "$work"/root/usr/share/{man,locale,info}
  find "$work/root/usr/share/doc" ! -name copyright ! -type d -delete
  base=$(buildah from scratch)
  buildah copy --quiet "$base" "$work/root" / >/dev/null
  buildah commit --quiet "$base" docker.io/library/debian:bookworm-slim >/dev/null
  buildah rm "$base" >/dev/null
fi

echo "== build the image for $device"
buildah bud --build-arg "DEVICE=$device" --tag "ssd1b-server:$device" "$top"

echo "== run it as its own user and ask for a picture"
container=$(buildah from "ssd1b-server:$device")
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
buildah run "$container" -- /usr/local/bin/ssd1b-server --device cpu --host 127.0.0.1 --port 5055 &
server=$!
until buildah run "$container" -- /usr/local/bin/ssd1b-server --healthcheck http://127.0.0.1:5055; do
  kill -0 "$server"
  sleep 1
done
until curl --silent --fail http://127.0.0.1:5055/readyz >/dev/null; do sleep 0.2; done
curl --silent --show-error --fail-with-body --json '{"prompt": "a red apple", "seed": 7}' -H 'Accept: image/png' \
  http://127.0.0.1:5055/generate-image --output "${OUTPUT:-/tmp/ssd1b-image.png}"
echo "== picture: ${OUTPUT:-/tmp/ssd1b-image.png}"
buildah run "$container" -- id
kill "$server"
wait "$server" || true
