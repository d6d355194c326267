#!/usr/bin/env bash
# The native tests and the Python suite under AddressSanitizer: what is read or written after it was freed, or beside
# it, ends the process that does so. `make asan` runs it; arguments go to pytest (all tests by default).
#
# Python and its other extensions are the usual ones: what they do with memory of ours is seen by the
# interceptors, as PYTHONMALLOC=malloc lets each object have memory of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "asan: skipped, $1"
    exit 0
}

python=${PYTHON:-python3}
host=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(gcc -print-file-name=libasan.so 2>/dev/null || true)
[[ $host == *-linux-gnu ]] || skip "it is set up for Linux with glibc, and this is $host"
[ -f "$runtime" ] || skip "gcc has no libasan.so here"
compgen -G "$(rustc --print target-libdir)/librustc*asan.a" >/dev/null || skip "this Rust comes without the sanitizer's runtime"

# -Z is for nightly compilers, and for those that are told to be one.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=target/asan

echo "== the native tests, leaks included"
RUSTFLAGS="-Zsanitizer=address" cargo test --quiet --target "$host"

echo "== the Python suite"
# Without marks on the stack: greenlets copy parts of it, which would look like reading beside variables.
RUSTFLAGS="-Zsanitizer=address -Cllvm-args=-asan-stack=0" PYO3_PYTHON=$python PYO3_BUILD_EXTENSION_MODULE=1 \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=1 \
    CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true cargo build --quiet --release --features python --target "$host"
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
package=target/asan/python/flask_rustcache
rm -rf target/asan/python
mkdir -p target/asan/python
cp -r python/flask_rustcache target/asan/python
rm -f "$package"/*.so
cp "target/asan/$host/release/libflask_rustcache.so" "$package/_native$suffix"

# Left out: tests of resident memory, as the sanitizer keeps what was freed for a while and pads what was not; those of
# packaging, whose compilers and valgrind would have the runtime loaded, too; and the benchmarks'.
# libstdc++ comes with the runtime, or exceptions of C++ extensions would not be known to it. Leaks of
# Python objects are for test_references.py: an interpreter never frees all it has.
LD_PRELOAD="$runtime $(gcc -print-file-name=libstdc++.so.6)" PYTHONMALLOC=malloc PYTHONPATH=$PWD/target/asan/python \
    ASAN_OPTIONS=detect_leaks=0 "$python" -m pytest -p no:cacheprovider --deselect tests/test_bench.py \
    --deselect tests/test_packaging.py --deselect tests/test_traps_memory.py::test_memory_is_flat \
    --deselect tests/test_max_bytes.py::test_resident_memory_is_what_the_account_says \
    --deselect tests/test_late_fills.py::test_keys_of_fills_that_store_nothing_do_not_stay_in_memory "$@"
