#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CUDA device's library exports the one function that libmien looks up, and needs the system's libraries alone;
# libmien and the command need none of CUDA's. test_library.sh LIBMIEN_CUDA.SO FILE...
set -euo pipefail
library="$1"
shift
needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

exported="$(nm -D --defined-only "$library" | awk '$2 ~ /[A-Z]/ {print $3}')"
[ "$exported" = mien_cuda_module_get ] || { echo "exported: $exported"; exit 1; }
# A driver is looked for at run time, so that the library can say that there is none.
foreign="$(needed "$library" | grep -vE '^(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)|ld-linux.*)\.so' || true)"
[ -z "$foreign" ] || { echo "$library needs $foreign"; exit 1; }
for file in "$@"; do
  foreign="$(needed "$file" | grep -iE 'cuda|cublas|nvidia|stdc\+\+' || true)"
  [ -z "$foreign" ] || { echo "$file needs $foreign"; exit 1; }
done
echo "one name exported, by a library that needs $(needed "$library" | xargs)"
