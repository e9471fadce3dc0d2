#!/usr/bin/env bash
# Runs every fuzz target for so many seconds; fails on the first finding and names the input that shows it.
#
#     protocol/fuzz/run.sh SECONDS [TARGET...]
#
# Needs the stable toolchain and a C++ compiler (for libFuzzer), nothing else: the instrumentation is asked of the
# compiler directly. Address space is limited, so that an allocation of what the input claims is a finding too.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(frame_header request_body record_batch compression)
fi
command -v c++ >/dev/null || { echo "run.sh: a C++ compiler is needed (Debian: apt install g++)" >&2; exit 1; }

export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
 -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
 -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-target}
# With --target the flags stay away from build scripts.
cargo build --release --quiet --target "$host" --target-dir "$target_dir"

ulimit -v $((2 * 1024 * 1024))
for target in "${targets[@]}"; do
    corpus=corpus/$target
    mkdir -p "$corpus" "artifacts/$target"
    seeds=()
    if [ -d "seeds/$target" ]; then seeds=("seeds/$target"); fi
    echo "fuzzing $target for $seconds s"
    if ! "$target_dir/$host/release/$target" "$corpus" "${seeds[@]}" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=1024 -max_len=65536 -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        >"artifacts/$target/log" 2>&1; then
        tail -40 "artifacts/$target/log" >&2
        echo "run.sh: $target found something; the input is in protocol/fuzz/artifacts/$target" >&2
        exit 1
    fi
    grep -E "stat::number_of_executed_units|stat::peak_rss_mb" "artifacts/$target/log"
done
