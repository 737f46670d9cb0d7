#!/usr/bin/env bash
# Builds an image and makes a picture in it without a container engine: buildah with plain folders and
# chroot, on a base made by debootstrap. Needs root and the Debian packages buildah, debootstrap, curl, procps.
#
#   docker/build-with-buildah.sh [cpu|cuda] [PICTURE]      PICTURE: build/image-cpu.png
#
# The base comes from DEBIAN_MIRROR, else from where this machine's own apt fetches. What this machine
# trusts besides Debian's certificates (/usr/local/share/ca-certificates) is trusted while building,
# and is not in the image.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
device=${1:-cpu}
picture=${2:-$top/build/image-$device.png}
certificates=/usr/local/share/ca-certificates
port=5055
ready_s=120
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

fail() {
  echo "docker/build-with-buildah.sh: $*" >&2
  exit 1
}
[[ $device == cpu || $device == cuda ]] || fail "usage: docker/build-with-buildah.sh [cpu|cuda] [PICTURE]"
[ "$(id -u)" = 0 ] || fail "must run as root"
for program in buildah debootstrap curl pkill; do
  command -v $program >/dev/null ||
    fail "$program is missing; as root: apt-get install -y --no-install-recommends buildah debootstrap curl procps"
done
mkdir -p "$(dirname "$picture")"

work=$(mktemp -d)
container='' server=''
clean() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

own_mirror() { apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1; }

if ! buildah inspect debian:bookworm-slim >/dev/null 2>&1; then
  mirror=${DEBIAN_MIRROR:-$(own_mirror)}
  mirror=${mirror:-http://deb.debian.org/debian}
  echo "== base: debootstrap bookworm"
  debootstrap --variant=minbase bookworm "$work/root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail "$work/debootstrap.log" >&2 && fail "debootstrap failed"; }
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
volumes=()
if [ -n "$(ls -A $certificates 2>/dev/null)" ]; then volumes=(--volume "$certificates:$certificates:ro"); fi
buildah bud "${volumes[@]}" --build-arg "DEVICE=$device" --build-arg "COMMIT=$(git -C "$top" rev-parse HEAD)" \
  --tag "ssd1b-server:$device" "$top"

# The device is the CPU for both: this shows that the image is whole, not that a GPU works.
echo "== run it as its own user and ask for a picture"
container=$(buildah from "ssd1b-server:$device")
serve="/usr/local/bin/ssd1b-server --device cpu --host 127.0.0.1 --port $port"
buildah run "$container" -- $serve &
server=$! ready_from=$SECONDS
answers() { curl --noproxy '*' --silent --show-error --fail-with-body "http://127.0.0.1:$port$1" "${@:2}"; }
until answers /readyz >/dev/null 2>&1; do
  kill -0 $server 2>/dev/null || fail "the server in the image ended"
  [ $SECONDS -lt $((ready_from + ready_s)) ] || fail "the server in the image was not ready after $ready_s s"
  sleep 0.2
done
buildah run "$container" -- /usr/local/bin/ssd1b-server --healthcheck "http://127.0.0.1:$port"
answers /generate-image --json '{"prompt": "a red apple", "seed": 7}' -H 'Accept: image/png' --output "$picture"
buildah run "$container" -- id
pkill -TERM -x -f "$serve" # buildah itself would pass on SIGTERM as SIGKILL
wait $server || fail "the server in the image ended with status $? on SIGTERM"
server=''
echo "== picture: $picture"
