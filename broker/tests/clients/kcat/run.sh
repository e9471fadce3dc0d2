#!/bin/bash
# kcat, as the distribution ships it: run.sh BOOTSTRAP PREFIX.
set -u
. "$(dirname "$0")/../lib.sh"
bootstrap=$1
prefix=$2
topic=${prefix}kcat

k() {
  timeout 30 kcat -b "$bootstrap" "$@"
}

metadata() {
  k -L > "$scratch/out"
  expect "^ 1 brokers:$" "$scratch/out"
  expect "broker [0-9]+ at $bootstrap" "$scratch/out"
  k -L -J > "$scratch/out"
  expect '"brokers":\[\{"id":[0-9]+,"name":"' "$scratch/out"
}

# The first record creates the topic; `-X` makes the producer wait for it instead of failing.
first_record() {
  echo "first" | k -P -t "$topic" -X topic.metadata.propagation.max.ms=10000
  equal "first" "$(k -C -t "$topic" -o beginning -c 1 -q)" "value"
  k -L -t "$topic" > "$scratch/out"
  expect "topic \"$topic\" with 1 partitions:" "$scratch/out"
}

keys_and_headers() {
  printf 'k1:v1\nk2:v2\n' | k -P -t "${prefix}keys" -K: -H a=1 -H b=2
  k -C -t "${prefix}keys" -o beginning -e -q -f '%p %o %k %s %h\n' > "$scratch/out"
  equal "0 0 k1 v1 a=1,b=2" "$(sed -n 1p "$scratch/out")" "the first"
  equal "0 1 k2 v2 a=1,b=2" "$(sed -n 2p "$scratch/out")" "the second"
}

null_value() {
  printf 'k1:\n' | k -P -t "${prefix}nulls" -K: -Z
  k -C -t "${prefix}nulls" -o beginning -e -q -J > "$scratch/out"
  expect '"key":"k1","payload":null' "$scratch/out"
}

codec() {
  seq 1 1000 | k -P -t "${prefix}codec-$1" -z "$1" -X linger.ms=50
  equal "$(seq 1 1000 | md5sum)" "$(k -C -t "${prefix}codec-$1" -o beginning -e -q | md5sum)" "the numbers"
}

idempotent() {
  seq 1 500 | k -P -t "${prefix}idempotent" -X enable.idempotence=true -X acks=all
  equal "$(seq 1 500 | md5sum)" "$(k -C -t "${prefix}idempotent" -o beginning -e -q | md5sum)" "the numbers"
}

positions() {
  equal "991" "$(k -C -t "${prefix}codec-none" -p 0 -o 990 -c 1 -q)" "from an offset"
  equal "998 999 1000" "$(k -C -t "${prefix}codec-none" -p 0 -o -3 -e -q | paste -sd ' ')" "the last three"
}

offsets_by_time() {
  k -Q -t "${prefix}codec-none:0:-1" > "$scratch/out"
  expect "\[0\] offset 1000$" "$scratch/out"
  k -Q -t "${prefix}codec-none:0:-2" > "$scratch/out"
  expect "\[0\] offset 0$" "$scratch/out"
  k -Q -t "${prefix}codec-none:0:1000" > "$scratch/out"
  expect "\[0\] offset 0$" "$scratch/out"
}

# A balanced consumer: joins a group, commits, and continues there.
group() {
  k -G "${prefix}group" -X auto.offset.reset=earliest -c 400 -q "${prefix}idempotent" > "$scratch/first" 2> "$scratch/err"
  k -G "${prefix}group" -X auto.offset.reset=earliest -c 100 -q "${prefix}idempotent" > "$scratch/second" 2>> "$scratch/err"
  cat "$scratch/err"
  equal "$(seq 1 500 | md5sum)" "$(cat "$scratch/first" "$scratch/second" | md5sum)" "both runs together"
}

check metadata metadata
check first-record first_record
check keys-and-headers keys_and_headers
check null-value null_value
for name in none gzip snappy lz4 zstd; do
  check "codec-$name" codec "$name"
done
check idempotent idempotent
check positions positions
check offsets-by-time offsets_by_time
check group group
finish
