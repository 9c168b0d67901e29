#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shared library exports exactly what the public headers declare, and everything in the static one that a program
# could collide with begins with mien_. test_exports.sh NM LIBMIEN.SO LIBMIEN.A HEADER...
set -euo pipefail
nm="$1" shared="$2" static="$3"
shift 3
declared="$(cat "$@" | grep -v '^ *\*\|^/\*\|^#' | tr '\n' ' ' | grep -o 'MIEN_API [^;]*;' | grep -o 'mien_[a-z0-9_]*(' |
  tr -d '(' | sort)"
exported="$("$nm" -D --defined-only "$shared" | awk '$2 ~ /[A-Z]/ {print $3}' | sort)"
diff <(echo "$declared") <(echo "$exported") || { echo "declared (<) and exported (>) names differ"; exit 1; }
foreign="$("$nm" -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 {print $3}' | grep -v '^mien_\|^__' || true)"
[ -z "$foreign" ] || { echo "names without the prefix: $foreign"; exit 1; }
echo "$(echo "$exported" | wc -l) names exported, all declared in the headers"
