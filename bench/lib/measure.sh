# What is read beside a load: processor time, memory, and how much else the machine did. Sourced by compare.sh.

tick_ms=$((1000 / $(getconf CLK_TCK)))

# Processor time (user and system) that the broker has used, in ms.
broker_cpu_ms() { local stat; stat=$(< "/proc/$pid/stat"); set -- ${stat##*) }; echo $(((${12} + ${13}) * tick_ms)); }
rss_mib() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"; }
# Busy time of the whole machine, and of this script's ended children (the tools), in ms.
machine_ms() { awk -v t=$tick_ms 'NR == 1 { print ($2 + $3 + $4 + $7 + $8 + $9) * t }' /proc/stat; }
tools_ms() { local stat; stat=$(< /proc/$$/stat); set -- ${stat##*) }; echo $(((${14} + ${15}) * tick_ms)); }

# quiet: waits up to QUIET seconds (20) for one in which the machine is at most a fifth busy.
quiet() {
  local before
  for _ in $(seq "${QUIET:-20}"); do
    before=$(machine_ms); sleep 1
    [ $(($(machine_ms) - before)) -le $((200 * $(nproc))) ] && return
  done
}

# row PHASE CASE SYSTEM METRIC=VALUE...: one raw result line, to the file and to the eye.
row() {
  local phase=$1 case=$2 system=$3; shift 3
  (IFS=$'\t'; printf '%s\t%s\t%s\t%s\t%s\n' "$phase" "$case" "$system" "$rep" "$*") | tee -a "$results"
}

# load RECORDS CMD...: runs it; sets out (what it printed) and side (CPU of the broker per million records, others' share).
load() {
  local records=$1 cpu machine tools began ms others status; shift
  quiet
  began=$(date +%s%3N); cpu=$(broker_cpu_ms); machine=$(machine_ms); tools=$(tools_ms)
  out=$("$@" 2> "$work/stderr"); status=$?
  ms=$(($(date +%s%3N) - began)); alive || die "the broker ended during: $*"
  cpu=$(($(broker_cpu_ms) - cpu)); machine=$(($(machine_ms) - machine)); tools=$(($(tools_ms) - tools))
  others=$(((machine - cpu - tools) * 100 / (ms + 1) / $(nproc)))
  side="broker_cpu_s_per_million=$(awk -v c=$cpu -v n="$records" 'BEGIN { printf "%.2f", c * 1000 / n }')"$'\t'"others_pct=$others"
  [ $status = 0 ] || { echo "compare.sh: failed ($status): $*: $(tail -2 "$work/stderr")" >&2; return 1; }
}
