# What the scripts share. Sourced; expects `set -euo pipefail`.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
script=scripts/$(basename "$0")
cache=${SSD1B_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ssd1b-server}
logs=$top/build/logs

say() { printf '== %s\n' "$*"; }

# The one clear line at the first failure.
fail() {
  printf '%s: %s\n' "$script" "$*" >&2
  exit 1
}
trap 'fail "line $LINENO failed: $BASH_COMMAND"' ERR

# run NAME COMMAND...: says what it does and how long it took; the output goes to a log, whose end is
# shown where the command fails.
run() {
  local name=$1 log began=$SECONDS
  shift
  log=$logs/$(tr -c 'a-zA-Z0-9\n' '-' <<<"$name").log
  mkdir -p "$logs"
  say "$name: $*"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    fail "$name failed; all of its output is in $log"
  fi
  say "$name: done in $((SECONDS - began)) s"
}

# Compilers of the torch rooms take up to 1.4 GB each.
jobs() {
  local memory_kb
  memory_kb=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
  local by_memory=$((memory_kb / 1400000))
  local cores
  cores=$(nproc)
  local result=$((by_memory < cores ? by_memory : cores))
  echo $((result > 0 ? result : 1))
}

# configure FOLDER OPTION...: only where it has not been configured to the end.
configure() {
  local folder=$1
  shift
  if [ ! -f "$folder/build.ninja" ] && [ ! -f "$folder/Makefile" ]; then
    local generator=()
    if command -v ninja >/dev/null; then generator=(-G Ninja); fi
    run "configure ${folder#"$top"/}" cmake -S "$top" -B "$folder" "${generator[@]}" "$@"
  fi
}

# A compiler cache of the project's own, unless the user has chosen one.
export SSD1B_CACHE=$cache
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
