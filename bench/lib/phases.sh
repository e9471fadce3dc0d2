# One function per phase. Sourced by compare.sh. `system` is thalweg or kafka, `rep` the repetition.

# Records of each load; smaller ones for a quick look are given in the environment.
: "${N_PRODUCE:=500000}" "${N_PRODUCE_FLUSH:=150000}" "${N_SMALL:=500000}" "${N_LATENCY:=10000}" "${N_WARM:=1500000}"

perf_test() { # TOPIC RECORDS SIZE [client property...]
  local topic=$1 records=$2 size=$3 property; shift 3
  local properties=(--command-property acks=all)
  for property in "$@"; do properties+=(--command-property "$property"); done
  tool org.apache.kafka.tools.ProducerPerformance --bootstrap-server "$boot" --topic "$topic" --num-records "$records" \
    --record-size "$size" --throughput -1 --reporting-interval 600000 "${properties[@]}"
}

# perf_case PHASE CASE SYSTEM TOPIC RECORDS SIZE [client property...]
perf_case() {
  local phase=$1 case=$2 name=$3 fields; shift 3
  load "$2" perf_test "$@" || return 0
  fields=$(printf '%s\n' "$out" | awk '/99.9th/ { for (i = 2; i <= NF; i++) {
      if ($i == "records/sec") r = $(i-1); if ($i == "(" || $i ~ /^\(/) m = substr($i, 2)
      if ($i ~ /^50th/) a = $(i-2); if ($i ~ /^99th/) b = $(i-2) } }
    END { if (r) printf "records_s=%s\tmb_s=%s\tp50_ms=%s\tp99_ms=%s", r, m, a, b }')
  [ -n "$fields" ] || { echo "compare.sh: no result in: $out" >&2; return 0; }
  row "$phase" "$case" "$name" "$fields" "$side"
}

consume_case() { # CASE SYSTEM TOPIC RECORDS
  local fields
  load "$4" tool org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$boot" --topic "$3" --num-records "$4" \
    --timeout 60000 || return 0
  # start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
  fields=$(printf '%s\n' "$out" | awk -F', *' '/^20/ { printf "records=%s\tfetch_records_s=%s\tfetch_mb_s=%s\trun_records_s=%s", $5, $10, $9, $6 }')
  [ -n "$fields" ] || { echo "compare.sh: no result in: $out" >&2; return 0; }
  row consume "$1" "$2" "$fields" "$side"
}

latency_case() { # PHASE CASE SYSTEM TOPIC PARTITIONS
  load "$N_LATENCY" timeout 200 "$bench" latency --bootstrap "$boot" --topic "$4" --partitions "$5" --records "$N_LATENCY" \
    --warmup $((N_LATENCY / 5)) --size 100 --seconds 120 --tsv || return 0
  row "$1" "$2" "$3" "${out#*$'\t'}" "$side"
}

# Kafka's JIT compilers need work before their broker is at its speed (its CPU per record halves over the first million
# and a half): both get the same, unrecorded.
warm() {
  create warm 6 > /dev/null || die "cannot create a topic"
  perf_test warm "$N_WARM" 1024 > /dev/null || die "the warm-up load failed"
  perf_test warm $((N_WARM / 3)) 100 > /dev/null
}

phase_produce() {
  local case="1 KiB, 6 partitions, acks=all"
  create p1k 6 > /dev/null || return
  perf_case produce "$case" "$system" p1k "$N_PRODUCE" 1024
  [ "$system" = kafka ] || return 0
  create p1k-flush 6 flush.messages=1 > /dev/null || return
  perf_case produce "$case" "kafka flush.messages=1" p1k-flush "$N_PRODUCE_FLUSH" 1024
}

phase_small() {
  create small 100 > /dev/null || return
  perf_case small "100 B, 100 partitions, linger.ms=0, acks=all" "$system" small "$N_SMALL" 100 linger.ms=0
}

phase_latency() {
  local case="100 B, one at a time, acks=all" name=$system config=
  [ "$system" = kafka ] && { name="kafka flush.messages=1"; config=flush.messages=1; }
  create latency 1 $config > /dev/null || return
  latency_case latency "$case" "$name" latency 0
  # The floor must be the device's and not the scheduler's: on a busy machine a thread of ordinary priority that waits for
  # a write gets its core back up to a tick (4 ms) after the write is done, which would flatter every broker beside it.
  local first=()
  if chrt -f 1 true 2> /dev/null; then first=(chrt -f 1); else echo "compare.sh: no real-time priority for the probe: on a busy machine its figures are too high" >&2; fi
  timeout 200 "${first[@]}" "$bench" probe "$work" --writes "$N_LATENCY" --round-trips "$N_LATENCY" --tsv > "$work/probe" || return
  local line name
  while IFS= read -r line; do
    name=${line%%$'\t'*}
    row latency "$case" "${name#what=}" "${line#*$'\t'}"
  done < "$work/probe"
}

phase_consume() {
  local dir=$1
  create consume 6 > /dev/null || return
  perf_test consume "$N_PRODUCE" 1024 > /dev/null || return
  consume_case "1 KiB, 6 partitions, just written" "$system" consume "$N_PRODUCE"
  stop_broker; "start_$system" "$dir"
  # A broker that has just started reads another topic first, so that it is not the JIT that is measured.
  tool org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$boot" --topic warm --num-records $((N_WARM / 3 * 4)) --timeout 60000 > /dev/null
  if [ "$(id -u)" = 0 ]; then
    sync; echo 3 > /proc/sys/vm/drop_caches
    consume_case "1 KiB, 6 partitions, after a restart, caches dropped" "$system" consume "$N_PRODUCE"
  else
    echo "compare.sh: not root, so caches cannot be dropped: reading from the device is left out" >&2
  fi
}

phase_idle() {
  local cpu seconds=${IDLE_SECONDS:-20}
  sleep "${IDLE_SETTLE:-5}"; cpu=$(broker_cpu_ms); sleep "$seconds"
  cpu=$(($(broker_cpu_ms) - cpu))
  row idle "empty directory, no client" "$system" "rss_mib=$(rss_mib)" "cpu_pct_of_a_core=$(awk -v c=$cpu -v s="$seconds" 'BEGIN { printf "%.2f", c / s / 10 }')"
}

phase_start() { row start "empty directory, to readiness" "$system" "ready_ms=$ready_ms"; }

# Thalweg alone: what ten thousand partitions cost beside one.
phase_partitions() {
  local dir=$1 many=${PARTITIONS:-10000} case created
  [ "$system" = thalweg ] || return 0
  case="$many partitions"
  create one 1 > /dev/null || return
  latency_case "partitions latency" "$case" "one partition on the node" one 0
  created=$(create many "$many") || return
  sleep 3
  row partitions "$case" thalweg "$created" "rss_mib=$(rss_mib)"
  latency_case "partitions latency" "$case" "thalweg, one of $many" many $((many / 2))
  latency_case "partitions latency" "$case" "thalweg, over all $many" many all
  stop_broker; start_thalweg "$dir"
  row "partitions restart" "$case" "thalweg after SIGTERM" "ready_ms=$ready_ms" "rss_mib=$(rss_mib)"
  stop_broker KILL; start_thalweg "$dir"
  row "partitions restart" "$case" "thalweg after kill -9" "ready_ms=$ready_ms" "rss_mib=$(rss_mib)"
}
