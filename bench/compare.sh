#!/usr/bin/env bash
# compare.sh [PHASE...]: Thalweg beside Apache Kafka on this machine, each alone, in turns. See README.md.
# Phases: start idle produce small latency consume partitions; without any: all of them.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
mkdir -p "$target"; target=$(cd "$target" && pwd)
thalwegd=${THALWEGD:-$target/release/thalwegd}
bench=${THALWEG_BENCH:-$target/release/thalweg-bench}
libs=${KAFKA_LIBS:-$target/kafka/libs}
# The data lies below WORK: give a directory on the disk to be measured.
out_dir=$target/compare/$(date +%Y%m%d-%H%M%S); results=$out_dir/results.tsv
work=${WORK:-$target/compare}/work-$$

die() { echo "compare.sh: $*" >&2; exit 1; }
. "$here/lib/measure.sh"
. "$here/lib/brokers.sh"
. "$here/lib/phases.sh"

all="start idle produce small latency consume partitions"
phases=${*:-$all}
for phase in $phases; do case " $all " in *" $phase "*) ;; *) die "no phase $phase; there are: $all" ;; esac; done
systems=${SYSTEMS:-thalweg kafka}
# What is measured is what the sources say now, unless somebody names a binary.
[ -n "${THALWEGD:-}" ] && [ -n "${THALWEG_BENCH:-}" ] || (cd "$here/.." && CARGO_TARGET_DIR=$target cargo build --release) \
  || die "cargo build --release failed, see above"
[ -x "$thalwegd" ] && [ -x "$bench" ] || die "$thalwegd or $bench cannot be run: check THALWEGD and THALWEG_BENCH"
command -v java > /dev/null || die "Kafka needs Java 17 or newer"
if ! compgen -G "$libs/kafka_2.13-*.jar" > /dev/null; then
  command -v mvn > /dev/null || die "Maven is needed to fetch Apache Kafka; or set KAFKA_LIBS to a directory of its jars"
  echo "fetching Apache Kafka into $libs" >&2
  timeout 600 mvn -B -q -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$libs" || die "Maven could not fetch Apache Kafka"
fi

mkdir -p "$out_dir" "$work" || die "cannot create $out_dir and $work"
cleanup() { stop_broker KILL; rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

has() { case " $phases " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
any() { local phase; for phase in "$@"; do has "$phase" && return 0; done; return 1; }

# fresh: the system on an empty directory. `run` and what follows it use the same broker until `gone`.
fresh() { dir=$work/$system-$rep-$RANDOM; quiet; "start_$system" "$dir"; }
gone() { stop_broker; rm -rf "$dir"; }

{
  echo "# $(date -u +%FT%TZ) $(uname -sr), $(nproc) cores, $(awk '/MemTotal/ { printf "%d MiB", $2 / 1024 }' /proc/meminfo)"
  echo "# $(cd "$here" && git rev-parse --short HEAD 2> /dev/null) beside $(basename "$(compgen -G "$libs/kafka_2.13-*.jar")" .jar), $(java -version 2>&1 | head -1)"
} | tee "$results"

for rep in $(seq "${REPS:-3}"); do
  for system in $systems; do
    if any start idle; then
      fresh
      has start && phase_start
      has idle && phase_idle
      gone
    fi
    if any produce small latency consume; then
      fresh; warm
      # The restart in `consume` makes it the last.
      for phase in latency small produce; do has "$phase" && "phase_$phase"; done
      has consume && phase_consume "$dir"
      gone
    fi
    if has partitions && [ "$system" = thalweg ]; then fresh; phase_partitions "$dir"; gone; fi
  done
done
"$bench" tables "$results" | tee "$out_dir/tables.md"
echo "raw lines and tables: $out_dir" >&2
