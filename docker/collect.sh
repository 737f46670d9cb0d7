#!/usr/bin/env bash
# Puts what the image needs into one folder, laid out as in the image. Called by the Dockerfile.
#
#   docker/collect.sh cpu|cuda BUILD-FOLDER TO
set -euo pipefail
device=$1 build=$2 to=$3
top=$(cd "$(dirname "$0")/.." && pwd)
set_folder=$SSD1B_CACHE/libtorch-2.11.0-$device
lib=$to/usr/local/lib/ssd1b-server
doc=$to/usr/local/share/doc/ssd1b-server

cmake --install "$build" --strip --prefix "$to/usr/local"

# The libraries find each other by the layout of the wheel, so that is kept.
keep() {
  local file
  while read -r file; do
    mkdir -p "$lib/$(dirname "$file")"
    cp -L "$set_folder/$file" "$lib/$file"
  done
}
cd "$set_folder"
if [ "$device" = cpu ]; then
  # These five files run libtorch on a CPU.
  find . \( -name libtorch_cpu.so -o -name libc10.so -o -name libgomp.so.1 -o -name libcudart.so.13 \
    -o -name libcupti.so.13 \) | keep
else
  find torch/lib nvidia -name '*.so*' ! -name libtorch_python.so ! -name '*_static*' ! -name 'libnvvm*' | keep
fi

mkdir -p "$doc"
cp "$top/LICENSE" "$top/THIRD_PARTY.md" "$doc"
find . -type f -path './*.dist-info/*' \( -iname 'LICENSE*' -o -iname 'NOTICE*' -o -iname 'EULA*' \) | while read -r file; do
  cp "$file" "$doc/$(tr / - <<<"${file#./}")"
done
