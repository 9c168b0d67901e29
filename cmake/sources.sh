#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the distribution's sources of protobuf-c and jansson into a folder: sources.sh FOLDER
# For builds for other machines than the one that builds, which its libraries are of no use to. What is fetched is what
# apt verifies; the system's own package lists stay as they are.
set -euo pipefail
[ $# = 1 ] || { echo "usage: sources.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder="$(cd "$1" && pwd)"
[ -e "$folder/.done" ] && exit 0
apt="$folder/apt"
rm -rf "$apt" "$folder"/protobuf-c* "$folder"/jansson*
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources.list.d"
# The system's entries, as entries of sources.
for file in /etc/apt/sources.list.d/*.sources; do
  [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/sources.list.d/${file##*/}"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -e "$file" ] && sed -n 's/^deb /deb-src /p' "$file" >"$apt/sources.list.d/$(basename "${file%.list}").list"
done
options=(-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o "Dir::Etc::SourceList=/dev/null"
  -o "Dir::Etc::SourceParts=$apt/sources.list.d" -o APT::Sandbox::User=)
apt-get "${options[@]}" update -qq
cd "$folder"
apt-get "${options[@]}" source -qq protobuf-c jansson >/dev/null
for name in protobuf-c jansson; do
  rm -f "$name"_* && mv "$name"-*/ "$name"
done
rm -rf "$apt"
touch .done
