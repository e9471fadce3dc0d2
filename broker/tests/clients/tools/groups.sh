#!/bin/bash
# What Apache Kafka's tools of groups, transactions and features print, line for line: groups.sh BOOTSTRAP PREFIX. They run in
# one process (`thalweg.clients.Tools`): `run.sh` has one for each.
# `frozen/` is what they print on Apache Kafka 4.3.1; with THALWEG_WRITE_ANSWERS=1 it is written anew. KAFKA_LIBS: the folder
# with Kafka's jars.
set -u
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/kafka.sh"
bootstrap=$1
prefix=$2
topic=${prefix}read
frozen_dir=$(dirname "$0")/frozen

# Columns whose values are another broker's, or the clock's.
hidden="ProducerId LastSequence MEMBER-EPOCH LastTimestamp CurrentTransactionStartTimeMs TransactionDurationMs TransactionDuration LatestCoordinatorEpoch"

# What the tools print, without what differs from run to run; in the order of the alphabet, as they print what is in hash
# tables. Stack traces are left out below their first line.
plain() {
  awk -v hidden="$hidden" '
    BEGIN { split(hidden, names, " "); for (at in names) hide[names[at]] = 1 }
    /^\tat |^\t\.\.\. / { next }
    { header = 0; for (at = 1; at <= NF; at++) if ($at in hide) header = 1 }
    header { delete columns; for (at = 1; at <= NF; at++) if ($at in hide) columns[at] = $at; print; next }
    NF == 0 { delete columns; next }
    { for (at in columns) if (at <= NF && $at ~ /^[0-9]+$/) $at = "<" columns[at] ">"; print }' |
    sed -E -e "s/$prefix/~/g" -e "s/${bootstrap//./\\.}/HOST/g" \
      -e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g' \
      -e 's/ [A-Za-z0-9_-]{22} / UUID /' -e 's/Epoch: [0-9]+/Epoch: N/g' -e 's/^\[[0-9-]+ [0-9:,]+\] //' -e 's/[ \t]+/ /g' -e 's/ $//' |
    sort
}

# frozen NAME COMMAND...: prints, normalised, what the file says. What the command ends with is a line of its own.
frozen() {
  local name=$1 status
  shift
  "$@" > "$scratch/printed" 2>&1 < /dev/null && status=0 || status=$?
  { plain < "$scratch/printed"; echo "exit status $status"; } > "$scratch/found"
  if [ -n "${THALWEG_WRITE_ANSWERS:-}" ]; then
    mkdir -p "$frozen_dir"
    cp "$scratch/found" "$frozen_dir/$name.txt"
  fi
  diff "$frozen_dir/$name.txt" "$scratch/found"
}

# same NAME COMMAND...: a check of that name.
same() {
  check "$1" frozen "$@"
}

# until_printed PATTERN COMMAND...: asks again until a line matches.
until_printed() {
  local pattern=$1 try
  shift
  for try in $(seq 1 20); do
    "$@" > "$scratch/out" 2>&1 || true
    grep -Eq -- "$pattern" "$scratch/out" && return
    sleep 0.5
  done
  echo "no line matches /$pattern/ in:"
  cat "$scratch/out"
  return 1
}

# served NAME ARGS...: as `tool`, in the process that is there already.
mkfifo "$scratch/commands" "$scratch/answers"
java "${java_options[@]}" -cp "$KAFKA_LIBS/../classes:$KAFKA_LIBS/*" thalweg.clients.Tools \
  < "$scratch/commands" > "$scratch/answers" 2> "$scratch/tools.log" &
tools=$!
exec 7> "$scratch/commands" 8< "$scratch/answers"
served() {
  local class line
  class=$(class_of "$1") || return
  shift
  (IFS=$'\t'; printf '%s\n' "$class${1+$'\t'}$*") >&7
  while IFS= read -r -t 60 line <&8; do
    case $line in
      $'\001'*) return "${line#$'\001'}" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
  echo "the tool does not end"
  return 99
}

groups() { served kafka-groups --bootstrap-server "$bootstrap" "$@"; }
consumer_groups() { served kafka-consumer-groups --bootstrap-server "$bootstrap" "$@"; }
share_groups() { served kafka-share-groups --bootstrap-server "$bootstrap" "$@"; }
transactions() { served kafka-transactions --bootstrap-server "$bootstrap" "$@"; }
features() { served kafka-features --bootstrap-server "$bootstrap" "$@"; }
# Only this run's groups, among those of others that share the broker.
ours() {
  local status
  "$@" > "$scratch/all" && status=0 || status=$?
  grep -E "^(GROUP|TransactionalId)|$prefix" "$scratch/all"
  return "$status"
}

# A consumer in the background, which ends with the suite. The tools' own pipes must not be held open by it.
started=()
consume() {
  local group=$1
  shift
  exec_tool "$@" --bootstrap-server "$bootstrap" --topic "$topic" --group "$group" > "$scratch/$group.log" 2>&1 < /dev/null &
  started+=($!)
}
stop_consumers() {
  local pid
  for pid in "${started[@]}"; do kill "$pid"; done 2> /dev/null
  for pid in "${started[@]}"; do wait "$pid"; done 2> /dev/null
  started=()
}
trap 'stop_consumers; exec 7>&-; kill "$tools" 2> /dev/null; rm -rf "$scratch"' EXIT

setup() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "$topic" --partitions 2 --replication-factor 1
  # With keys, so that it does not depend on the producer's choice which partition has how many.
  seq 1 10 | sed 's/.*/&:&/' | tool kafka-console-producer --bootstrap-server "$bootstrap" --topic "$topic" \
    --reader-property parse.key=true --reader-property key.separator=:
  tool kafka-configs --bootstrap-server "$bootstrap" --alter --entity-type groups --entity-name "${prefix}share" --add-config share.auto.offset.reset=earliest
}
check setup setup

# Groups with a member each.
consume "${prefix}classic" kafka-console-consumer --from-beginning --command-property auto.commit.interval.ms=100 --command-property client.id=reader
consume "${prefix}modern" kafka-console-consumer --from-beginning --command-property auto.commit.interval.ms=100 --command-property client.id=reader --command-property group.protocol=consumer
consume "${prefix}share" kafka-console-share-consumer --command-property client.id=reader
active() {
  until_printed "^${prefix}classic +$topic +[01] +[0-9]+ +[0-9]+ +0 +reader" consumer_groups --describe --group "${prefix}classic"
  until_printed "^${prefix}modern +$topic +1 +[0-9]+ +[0-9]+ +0 +" consumer_groups --describe --group "${prefix}modern"
  until_printed "^${prefix}share .* Stable" share_groups --describe --state --group "${prefix}share"
  until_printed "^${prefix}share .* reader +2 " share_groups --describe --members --group "${prefix}share"
  # All has been committed.
  until_printed "^${prefix}modern +$topic +0 +[0-9]+ +[0-9]+ +0 +" consumer_groups --describe --group "${prefix}modern"
  until_printed "^${prefix}share +$topic +1 +[0-9]+ .*" share_groups --describe --group "${prefix}share"
}
check members-are-there active

same groups-list ours groups --list
same groups-list-classic ours groups --list --group-type classic
same groups-list-consumer-type ours groups --list --group-type consumer
same groups-list-share ours groups --list --share
same groups-list-consumer ours groups --list --consumer
same groups-list-unknown-type groups --list --group-type odd
same consumer-groups-list ours consumer_groups --list
same consumer-groups-list-state ours consumer_groups --list --state
same consumer-groups-list-state-filter ours consumer_groups --list --state Stable
same consumer-groups-list-type ours consumer_groups --list --type
for kind in classic modern; do
  same "consumer-groups-describe-$kind" consumer_groups --describe --group "$prefix$kind"
  same "consumer-groups-members-$kind" consumer_groups --describe --members --group "$prefix$kind"
  same "consumer-groups-members-verbose-$kind" consumer_groups --describe --members --verbose --group "$prefix$kind"
  same "consumer-groups-offsets-verbose-$kind" consumer_groups --describe --offsets --verbose --group "$prefix$kind"
  same "consumer-groups-state-$kind" consumer_groups --describe --state --group "$prefix$kind"
  same "consumer-groups-state-verbose-$kind" consumer_groups --describe --state --verbose --group "$prefix$kind"
  same "consumer-groups-reset-active-$kind" consumer_groups --reset-offsets --group "$prefix$kind" --topic "$topic" --to-earliest --execute
  same "consumer-groups-delete-offsets-active-$kind" consumer_groups --delete-offsets --group "$prefix$kind" --topic "$topic"
  same "consumer-groups-delete-active-$kind" consumer_groups --delete --group "$prefix$kind"
done
same consumer-groups-describe-share consumer_groups --describe --group "${prefix}share"
same consumer-groups-describe-unknown consumer_groups --describe --group "${prefix}nobody"
same share-groups-list ours share_groups --list
same share-groups-list-state ours share_groups --list --state
same share-groups-members share_groups --describe --members --group "${prefix}share"
same share-groups-members-verbose share_groups --describe --members --verbose --group "${prefix}share"
same share-groups-state share_groups --describe --state --group "${prefix}share"
same share-groups-reset-active share_groups --reset-offsets --group "${prefix}share" --topic "$topic" --to-earliest --execute
same share-groups-delete-active share_groups --delete --group "${prefix}share"
same share-groups-describe-unknown share_groups --describe --group "${prefix}nobody"
same share-groups-describe-classic share_groups --describe --group "${prefix}classic"

stop_consumers
empty() {
  until_printed "^${prefix}classic .* Empty" consumer_groups --describe --state --group "${prefix}classic"
  until_printed "^${prefix}modern .* Empty" consumer_groups --describe --state --group "${prefix}modern"
  until_printed "^${prefix}share .* Empty" share_groups --describe --state --group "${prefix}share"
}
check members-are-gone empty
for kind in classic modern; do
  same "consumer-groups-describe-empty-$kind" consumer_groups --describe --group "$prefix$kind"
  same "consumer-groups-members-empty-$kind" consumer_groups --describe --members --group "$prefix$kind"
  same "consumer-groups-state-empty-$kind" consumer_groups --describe --state --group "$prefix$kind"
  same "consumer-groups-reset-dry-run-$kind" consumer_groups --reset-offsets --group "$prefix$kind" --topic "$topic" --to-earliest --dry-run
  same "consumer-groups-reset-$kind" consumer_groups --reset-offsets --group "$prefix$kind" --topic "$topic:0" --to-offset 1 --execute
  same "consumer-groups-reset-unknown-topic-$kind" consumer_groups --reset-offsets --group "$prefix$kind" --topic "${prefix}nowhere" --to-earliest --execute
  same "consumer-groups-delete-offsets-$kind" consumer_groups --delete-offsets --group "$prefix$kind" --topic "$topic:0"
  same "consumer-groups-delete-offsets-unknown-$kind" consumer_groups --delete-offsets --group "$prefix$kind" --topic "${prefix}nowhere"
  same "consumer-groups-delete-$kind" consumer_groups --delete --group "$prefix$kind"
  same "consumer-groups-delete-again-$kind" consumer_groups --delete --group "$prefix$kind"
done
same share-groups-members-empty share_groups --describe --members --group "${prefix}share"
same share-groups-state-empty share_groups --describe --state --group "${prefix}share"
same share-groups-reset-dry-run share_groups --reset-offsets --group "${prefix}share" --topic "$topic" --to-earliest --dry-run
same share-groups-reset share_groups --reset-offsets --group "${prefix}share" --topic "$topic" --to-latest --execute
same share-groups-reset-unknown-topic share_groups --reset-offsets --group "${prefix}share" --topic "${prefix}nowhere" --to-latest --execute
same share-groups-delete-offsets share_groups --delete-offsets --group "${prefix}share" --topic "$topic"
same share-groups-delete-offsets-unknown share_groups --delete-offsets --group "${prefix}share" --topic "${prefix}nowhere"
same share-groups-delete share_groups --delete --group "${prefix}share"
same share-groups-delete-again share_groups --delete --group "${prefix}share"

# A transaction that stays open, beside one that is over. Takes the place of its shell.
perform() {
  local id=$1
  shift
  exec_tool kafka-producer-perf-test --bootstrap-server "$bootstrap" --topic "${prefix}txn" --record-size 100 --transactional-id "$id" "$@" > "$scratch/$id.log" 2>&1 < /dev/null
}
transacted() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "${prefix}txn" --partitions 1 --replication-factor 1
  (perform "${prefix}over" --num-records 10 --throughput -1 --transaction-duration-ms 60000)
  until_printed "^${prefix}over.*CompleteCommit" transactions list
}
check transactions-that-are-over transacted
perform "${prefix}open" --num-records 100000 --throughput 20 --transaction-duration-ms 60000 &
started+=($!)
check a-transaction-is-open until_printed "^${prefix}open.*Ongoing" transactions list
same transactions-list ours transactions list
same transactions-list-pattern ours transactions list --transactional-id-pattern "${prefix}op.*"
same transactions-list-wrong-pattern transactions list --transactional-id-pattern "("
same transactions-list-long ours transactions list --duration-filter 3600000
same transactions-describe transactions describe --transactional-id "${prefix}open"
same transactions-describe-over transactions describe --transactional-id "${prefix}over"
same transactions-describe-unknown transactions describe --transactional-id "${prefix}nobody"
same transactions-describe-producers transactions describe-producers --topic "${prefix}txn" --partition 0
same transactions-find-hanging transactions find-hanging --topic "${prefix}txn"
same transactions-abort-unknown transactions abort --topic "${prefix}txn" --partition 0 --start-offset 999999
stop_consumers
same transactions-force-terminate transactions forceTerminateTransaction --transactionalId "${prefix}open"
check it-is-terminated until_printed "^${prefix}open.*Empty" transactions list
same transactions-force-terminate-unknown transactions forceTerminateTransaction --transactionalId "${prefix}nobody"
same transactions-list-terminated ours transactions list

same features-describe features describe
same features-downgrade-dry-run features downgrade --feature transaction.version=1 --dry-run
same features-downgrade features downgrade --feature transaction.version=1
same features-upgrade features upgrade --feature transaction.version=2
same features-upgrade-again features upgrade --feature transaction.version=2
same features-upgrade-too-far features upgrade --feature transaction.version=9
same features-upgrade-unknown features upgrade --feature no.such.version=1
same features-upgrade-downwards features upgrade --feature transaction.version=0
same features-disable-unknown features disable --feature no.such.version
same features-version-mapping features version-mapping --release-version 4.3
same features-dependencies features feature-dependencies --feature transaction.version=2
finish
