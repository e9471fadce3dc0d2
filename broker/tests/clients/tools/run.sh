#!/bin/bash
# Apache Kafka's command line tools, each in a process of its own as its shell script would start it: run.sh BOOTSTRAP PREFIX.
# KAFKA_LIBS: the folder with Kafka's jars.
set -u
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/kafka.sh"
bootstrap=$1
prefix=$2
topic=${prefix}tools

topics_create() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "$topic" --partitions 3 --replication-factor 1 --config retention.ms=7200000
  expect "^Created topic $topic\.$" "$scratch/out"
}

topics_create_twice() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "$topic" && return 1
  expect "Topic '$topic' already exists" "$scratch/out"
}

topics_if_not_exists() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --if-not-exists --topic "$topic"
}

topics_list() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --list
  expect "^$topic$" "$scratch/out"
}

topics_describe() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --describe --topic "$topic"
  expect "Topic: $topic\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs:.*retention.ms=7200000" "$scratch/out"
  expect "Topic: $topic\s+Partition: 2\s+Leader: [0-9]+\s+Replicas: [0-9]+\s+Isr: [0-9]+" "$scratch/out"
}

topics_describe_filters() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --describe --under-replicated-partitions --topic "$topic"
  refuse "Partition:" "$scratch/out"
}

topics_alter() {
  tool kafka-topics --bootstrap-server "$bootstrap" --alter --topic "$topic" --partitions 4
  # Answered before every broker has heard of it.
  sleep 0.5
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --describe --topic "$topic"
  expect "PartitionCount: 4" "$scratch/out"
}

topics_unknown() {
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --describe --topic "${prefix}nowhere" && return 1
  expect "does not exist" "$scratch/out"
}

topics_delete() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "${prefix}doomed" --partitions 1
  tool kafka-topics --bootstrap-server "$bootstrap" --delete --topic "${prefix}doomed"
  capture out tool kafka-topics --bootstrap-server "$bootstrap" --list
  refuse "^${prefix}doomed$" "$scratch/out"
}

configs_alter_topic() {
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name "$topic" --add-config "max.message.bytes=2000000,cleanup.policy=[delete,compact]"
  expect "Completed updating config for topic $topic" "$scratch/out"
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --describe --entity-type topics --entity-name "$topic"
  expect "max.message.bytes=2000000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000" "$scratch/out"
  expect "cleanup.policy=delete,compact" "$scratch/out"
}

configs_delete_topic() {
  tool kafka-configs --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name "$topic" --delete-config max.message.bytes,cleanup.policy
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --describe --entity-type topics --entity-name "$topic"
  refuse "max.message.bytes|cleanup.policy" "$scratch/out"
  expect "retention.ms=7200000" "$scratch/out"
}

configs_describe_all() {
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --describe --all --entity-type topics --entity-name "$topic"
  expect "^  compression.type=producer sensitive=false synonyms=\{DEFAULT_CONFIG:compression.type=producer\}" "$scratch/out"
  expect "^  segment.bytes=1073741824" "$scratch/out"
}

configs_describe_broker() {
  local node
  node=$(sed -n 's/.*Leader: \([0-9]*\).*/\1/p' "$scratch/described" | head -1)
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --describe --all --entity-type brokers --entity-name "$node"
  expect "^  log.dirs=" "$scratch/out"
  expect "^  listeners=" "$scratch/out"
}

configs_wrong() {
  capture out tool kafka-configs --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name "$topic" --add-config retention.msec=1 && return 1
  expect "InvalidConfigurationException.*retention.msec" "$scratch/out"
}

console_keys_and_headers() {
  printf 'h1:a,h2:b\tkey1\tvalue1\nh1:c\tkey2\tvalue2\n' | tool kafka-console-producer --bootstrap-server "$bootstrap" --topic "${prefix}console" \
    --reader-property parse.key=true --reader-property parse.headers=true
  capture out tool kafka-console-consumer --bootstrap-server "$bootstrap" --topic "${prefix}console" --from-beginning --max-messages 2 --timeout-ms 20000 \
    --formatter-property print.key=true --formatter-property print.headers=true --formatter-property print.offset=true --formatter-property print.partition=true
  expect "^Partition:0\sOffset:0\sh1:a,h2:b\skey1\svalue1$" "$scratch/out"
  expect "^Partition:0\sOffset:1\sh1:c\skey2\svalue2$" "$scratch/out"
  expect "Processed a total of 2 messages" "$scratch/out"
}

console_codec() {
  seq 1 200 | tool kafka-console-producer --bootstrap-server "$bootstrap" --topic "$topic" --compression-codec zstd --command-property linger.ms=50
  tool kafka-console-consumer --bootstrap-server "$bootstrap" --topic "$topic" --from-beginning --max-messages 200 --timeout-ms 20000 --group "${prefix}console" > "$scratch/out" 2> "$scratch/err"
  cat "$scratch/err"
  equal "$(seq 1 200 | sort -n | md5sum)" "$(sort -n "$scratch/out" | md5sum)" "the numbers"
}

console_from_offset() {
  seq 1 50 | tool kafka-console-producer --bootstrap-server "$bootstrap" --topic "${prefix}offset" --request-required-acks 1
  tool kafka-console-consumer --bootstrap-server "$bootstrap" --topic "${prefix}offset" --partition 0 --offset 45 --max-messages 5 --timeout-ms 20000 > "$scratch/out" 2> "$scratch/err"
  cat "$scratch/err"
  equal "46 47 48 49 50" "$(paste -sd ' ' "$scratch/out")" "the last five"
}

console_end_of_topic() {
  # The group has read everything: nothing comes before the timeout.
  capture out tool kafka-console-consumer --bootstrap-server "$bootstrap" --topic "$topic" --timeout-ms 2000 --group "${prefix}console" || true
  expect "Processed a total of 0 messages" "$scratch/out"
}

api_versions() {
  capture out tool kafka-broker-api-versions --bootstrap-server "$bootstrap"
  expect "^$bootstrap \(id: [0-9]+ rack: null isFenced: false\) -> \($" "$scratch/out"
  for api in "Produce\(0\): [0-9]+ to [0-9]+ \[usable: [0-9]+\]" "Fetch\(1\): [0-9]+ to [0-9]+ \[usable: [0-9]+\]" \
    "ListOffsets\(2\): [0-9]+ to [0-9]+ \[usable" "Metadata\(3\): [0-9]+ to [0-9]+ \[usable" "ApiVersions\(18\): 0 to [0-9]+ \[usable" \
    "CreateTopics\(19\): 2 to [0-9]+ \[usable" "InitProducerId\(22\): 0 to [0-9]+ \[usable" "DescribeTopicPartitions\(75\): 0 \[usable: 0\]"; do
    expect "$api" "$scratch/out"
  done
}

cluster_id() {
  capture out tool kafka-cluster cluster-id --bootstrap-server "$bootstrap"
  expect "^Cluster ID: \S+$" "$scratch/out"
}

get_offsets() {
  capture out tool kafka-get-offsets --bootstrap-server "$bootstrap" --topic "${prefix}offset"
  expect "^${prefix}offset:0:50$" "$scratch/out"
  for spec in earliest:0 earliest-local:0 max-timestamp:'[0-9]+' 0:0; do
    capture out tool kafka-get-offsets --bootstrap-server "$bootstrap" --topic-partitions "${prefix}offset:0" --time "${spec%%:*}"
    expect "^${prefix}offset:0:${spec#*:}$" "$scratch/out"
  done
}

delete_records() {
  echo "{\"partitions\": [{\"topic\": \"${prefix}offset\", \"partition\": 0, \"offset\": 20}], \"version\": 1}" > "$scratch/delete.json"
  capture out tool kafka-delete-records --bootstrap-server "$bootstrap" --offset-json-file "$scratch/delete.json"
  expect "partition: ${prefix}offset-0\s+low_watermark: 20" "$scratch/out"
  capture out tool kafka-get-offsets --bootstrap-server "$bootstrap" --topic "${prefix}offset" --time earliest
  expect "^${prefix}offset:0:20$" "$scratch/out"
}

log_dirs() {
  capture out tool kafka-log-dirs --bootstrap-server "$bootstrap" --describe --topic-list "$topic"
  expect "Received log directory information from brokers [0-9]+" "$scratch/out"
  expect "\"partition\":\"$topic-0\"" "$scratch/out"
  expect "\"size\":[1-9][0-9]*" "$scratch/out"
  expect "\"error\":null" "$scratch/out"
}

# The id of the broker.
node() {
  sed -n 's/.*Leader: \([0-9]*\).*/\1/p' "$scratch/described" | head -1
}

leader_election() {
  capture out tool kafka-leader-election --bootstrap-server "$bootstrap" --election-type preferred --topic "$topic" --partition 0
  expect "^Valid replica already elected for partitions.*$topic-0" "$scratch/out"
  echo "{\"partitions\": [{\"topic\": \"$topic\", \"partition\": 1}]}" > "$scratch/elect.json"
  capture out tool kafka-leader-election --bootstrap-server "$bootstrap" --election-type unclean --path-to-json-file "$scratch/elect.json"
  expect "^Valid replica already elected for partitions.*$topic-1" "$scratch/out"
  tool kafka-leader-election --bootstrap-server "$bootstrap" --election-type preferred --all-topic-partitions
}

leader_election_unknown() {
  capture out tool kafka-leader-election --bootstrap-server "$bootstrap" --election-type preferred --topic "${prefix}nowhere" --partition 0 && return 1
  expect "UnknownTopicOrPartitionException" "$scratch/out"
}

# reassign JSON ARGS...: the reassignment tool with this assignment.
reassign() {
  local json=$1
  shift
  echo "$json" > "$scratch/reassign.json"
  tool kafka-reassign-partitions --bootstrap-server "$bootstrap" --reassignment-json-file "$scratch/reassign.json" "$@"
}

reassign_in_place() {
  echo "{\"topics\": [{\"topic\": \"$topic\"}], \"version\": 1}" > "$scratch/move.json"
  capture out tool kafka-reassign-partitions --bootstrap-server "$bootstrap" --generate --topics-to-move-json-file "$scratch/move.json" --broker-list "$(node)"
  expect "^Proposed partition reassignment configuration" "$scratch/out"
  local json
  json=$(tail -1 "$scratch/out")
  capture out reassign "$json" --execute
  expect "^Successfully started partition reassignments? for .*$topic-0" "$scratch/out"
  capture out reassign "$json" --verify
  expect "^Reassignment of partition $topic-0 is completed" "$scratch/out"
  capture out tool kafka-reassign-partitions --bootstrap-server "$bootstrap" --list
  expect "^No partition reassignments found" "$scratch/out"
}

reassign_elsewhere() {
  local json="{\"version\": 1, \"partitions\": [{\"topic\": \"$topic\", \"partition\": 0, \"replicas\": [9999]}]}"
  capture out reassign "$json" --execute && return 1
  expect "9999" "$scratch/out"
}

# Into each of the broker's directories in turn: it is in one of them.
reassign_to_directories() {
  local dir json try
  tool kafka-log-dirs --bootstrap-server "$bootstrap" --describe --topic-list "$topic" > "$scratch/dirs"
  for dir in $(grep -o '"logDir":"[^"]*"' "$scratch/dirs" | cut -d'"' -f4); do
    json="{\"version\": 1, \"partitions\": [{\"topic\": \"$topic\", \"partition\": 1, \"replicas\": [$(node)], \"log_dirs\": [\"$dir\"]}]}"
    capture out reassign "$json" --execute
    expect "^Successfully started moving log directory to $dir for replica $topic-1 with broker $(node)" "$scratch/out"
    for try in 1 2 3 4 5 6 7 8 9 10; do
      capture out reassign "$json" --verify
      grep -q "completed successfully" "$scratch/out" && break
      sleep 1
    done
    expect "^Reassignment of replica $topic-1-$(node) completed successfully" "$scratch/out"
  done
}

reassign_to_no_directory() {
  local json="{\"version\": 1, \"partitions\": [{\"topic\": \"$topic\", \"partition\": 1, \"replicas\": [$(node)], \"log_dirs\": [\"/no/such/directory\"]}]}"
  capture out reassign "$json" --execute && return 1
  expect "LogDirNotFoundException|Log dir .*not found|log directory was not found" "$scratch/out"
}

client_metrics() {
  local name=${prefix}subscription
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --alter --name "$name" --metrics org.apache.kafka.consumer. --interval 30000 --match client_id=abc.*
  expect "^Altered client metrics config for $name" "$scratch/out"
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --list
  expect "^$name$" "$scratch/out"
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --describe --name "$name"
  expect "^Client metrics configs for $name are:" "$scratch/out"
  expect "interval.ms=30000" "$scratch/out"
  expect "match=client_id=abc" "$scratch/out"
  expect "metrics=org.apache.kafka.consumer" "$scratch/out"
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --delete --name "$name"
  expect "^Deleted client metrics config for $name" "$scratch/out"
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --list
  refuse "^$name$" "$scratch/out"
}

client_metrics_wrong() {
  capture out tool kafka-client-metrics --bootstrap-server "$bootstrap" --alter --name "${prefix}wrong" --metrics a --interval 5 && return 1
  expect "InvalidRequestException.*interval must be between 100 and 3600000" "$scratch/out"
}

metadata_quorum() {
  capture out tool kafka-metadata-quorum --bootstrap-server "$bootstrap" describe --status
  for line in "ClusterId: +\S+" "LeaderId: +$(node)" "LeaderEpoch: +[0-9]+" "HighWatermark: +[0-9]+" "MaxFollowerLag: +0" \
    "CurrentVoters: +\[.*\"id\": ?$(node)" "CurrentObservers: +\[\]"; do
    expect "^$line" "$scratch/out"
  done
  capture out tool kafka-metadata-quorum --bootstrap-server "$bootstrap" describe --replication
  expect "^NodeId\s+DirectoryId\s+LogEndOffset\s+Lag\s+LastFetchTimestamp\s+LastCaughtUpTimestamp\s+Status" "$scratch/out"
  expect "^$(node)\s.*\s0\s.*Leader" "$scratch/out"
}

unregister_unknown() {
  capture out tool kafka-cluster unregister --bootstrap-server "$bootstrap" --id 9999 && return 1
  expect "BrokerIdNotRegisteredException" "$scratch/out"
}

groups_list() {
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --list
  expect "^${prefix}console$" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --list --state
  expect "^${prefix}console\s.*Empty" "$scratch/out"
  capture out tool kafka-groups --bootstrap-server "$bootstrap" --list
  expect "^${prefix}console\s+Classic\s+consumer" "$scratch/out"
}

groups_describe() {
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --describe --group "${prefix}console"
  expect "^Consumer group '${prefix}console' has no active members" "$scratch/out"
  expect "^${prefix}console\s+$topic\s+[0-9]+\s+[0-9]+\s+[0-9]+\s+[0-9]+\s+-" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --describe --group "${prefix}console" --state
  expect "^${prefix}console\s+\S+\s+\([0-9]+\)\s.*Empty\s+0" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --describe --group "${prefix}nobody" || true
  expect "GroupIdNotFoundException|does not exist" "$scratch/out"
}

# reset ARGS...: the new offset of the first partition of the topic, after so resetting it.
reset() {
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --group "${prefix}console" --reset-offsets --topic "${prefix}offset" "$@"
  sed -n "s/^${prefix}console *${prefix}offset *0 *\([0-9]*\).*/\1/p" "$scratch/out"
}

groups_reset() {
  equal 20 "$(reset --to-earliest --execute | tail -1)" "earliest"
  equal 50 "$(reset --to-latest --execute | tail -1)" "latest"
  equal 42 "$(reset --to-offset 42 --execute | tail -1)" "an offset"
  equal 37 "$(reset --shift-by -5 --execute | tail -1)" "five back"
  equal 50 "$(reset --to-datetime 2100-01-01T00:00:00.000 --dry-run | tail -1)" "a time to come"
  equal 20 "$(reset --by-duration PT24H --dry-run | tail -1)" "a day ago"
  equal 37 "$(reset --to-current --dry-run | tail -1)" "where it is"
  tool kafka-consumer-groups --bootstrap-server "$bootstrap" --group "${prefix}console" --reset-offsets --topic "${prefix}offset" --to-current --export --dry-run > "$scratch/offsets.csv"
  expect "^\"?${prefix}offset\"?,0,37" "$scratch/offsets.csv"
}

groups_delete() {
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --group "${prefix}console" --delete-offsets --topic "${prefix}offset"
  expect "^Request succeeded for deleting offsets" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --delete --group "${prefix}console"
  expect "^Deletion of requested consumer groups \('${prefix}console'\) was successful" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --list
  refuse "^${prefix}console$" "$scratch/out"
  capture out tool kafka-consumer-groups --bootstrap-server "$bootstrap" --delete --group "${prefix}console" || true
  expect "GroupIdNotFoundException|does not exist" "$scratch/out"
}

producer_perf() {
  capture out tool kafka-producer-perf-test --bootstrap-server "$bootstrap" --topic "$topic" --num-records 20000 --record-size 1000 --throughput -1 --command-property acks=all
  expect "^20000 records sent, .* records/sec .* 99\.9th" "$scratch/out"
}

producer_perf_codec() {
  capture out tool kafka-producer-perf-test --bootstrap-server "$bootstrap" --topic "$topic" --num-records 5000 --record-size 200 --throughput 20000 --command-property compression.type=lz4 linger.ms=5
  expect "^5000 records sent" "$scratch/out"
}

consumer_perf() {
  capture out tool kafka-consumer-perf-test --bootstrap-server "$bootstrap" --topic "$topic" --num-records 20000 --timeout 20000 --group "${prefix}perf"
  refuse "WARNING: Exiting before consuming" "$scratch/out"
}

e2e_latency() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "${prefix}e2e" --partitions 1
  capture out tool kafka-e2e-latency "$bootstrap" "${prefix}e2e" 300 all 100
  expect "^Avg latency: [0-9.,]+ ms" "$scratch/out"
  expect "^Percentiles: 50th = [0-9]+, 99th = [0-9]+, 99.9th = [0-9]+" "$scratch/out"
}

features_describe() {
  capture out tool kafka-features --bootstrap-server "$bootstrap" describe
  for feature in "eligible.leader.replicas.version\s.*Max.*: 1\s+FinalizedVersionLevel: 1" "group.version\s.*FinalizedVersionLevel: 1" \
    "metadata.version\s+SupportedMinVersion: 3.3-IV3\s+SupportedMaxVersion: 4.3-IV0\s+FinalizedVersionLevel: 4.3-IV0" \
    "share.version\s.*FinalizedVersionLevel: 1" "streams.version\s.*FinalizedVersionLevel: 1" \
    "transaction.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 2\s+FinalizedVersionLevel: 2\s+Epoch: [0-9]+"; do
    expect "Feature: $feature" "$scratch/out"
  done
}

features_change() {
  tool kafka-features --bootstrap-server "$bootstrap" downgrade --feature transaction.version=1
  capture out tool kafka-features --bootstrap-server "$bootstrap" describe
  expect "Feature: transaction.version\s.*FinalizedVersionLevel: 1" "$scratch/out"
  capture out tool kafka-features --bootstrap-server "$bootstrap" upgrade --feature transaction.version=2
  expect "transaction.version was upgraded to 2" "$scratch/out"
  capture out tool kafka-features --bootstrap-server "$bootstrap" upgrade --feature transaction.version=9 && return 1
  expect "Could not upgrade transaction.version to 9. The update failed for all features since the following feature had an error: Invalid update version 9 for feature transaction.version. Local controller [0-9]+ only supports versions 0-2" "$scratch/out"
}

# The producer's own performance test leaves a transactional id behind.
transactions_list() {
  capture out tool kafka-producer-perf-test --bootstrap-server "$bootstrap" --topic "${prefix}txn" --num-records 200 --record-size 100 --throughput -1 \
    --transactional-id "${prefix}perf" --transaction-duration-ms 50
  expect "^200 records sent" "$scratch/out"
  capture out tool kafka-transactions --bootstrap-server "$bootstrap" list
  expect "^TransactionalId\s+Coordinator\s+ProducerId\s+TransactionState" "$scratch/out"
  expect "^${prefix}perf\s+[0-9]+\s+[0-9]+\s+(PrepareCommit|CompleteCommit)" "$scratch/out"
  capture out tool kafka-transactions --bootstrap-server "$bootstrap" list --transactional-id-pattern "${prefix}nobody.*"
  refuse "^${prefix}perf" "$scratch/out"
}

transactions_describe() {
  capture out tool kafka-transactions --bootstrap-server "$bootstrap" describe --transactional-id "${prefix}perf"
  expect "^CoordinatorId\s+TransactionalId\s+ProducerId\s+ProducerEpoch\s+TransactionState" "$scratch/out"
  expect "^[0-9]+\s+${prefix}perf\s+[0-9]+\s+[0-9]+\s+(PrepareCommit|CompleteCommit)" "$scratch/out"
  capture out tool kafka-transactions --bootstrap-server "$bootstrap" describe-producers --topic "${prefix}txn" --partition 0
  expect "^ProducerId\s+ProducerEpoch\s+LatestCoordinatorEpoch\s+LastSequence" "$scratch/out"
}

transactions_hanging() {
  capture out tool kafka-transactions --bootstrap-server "$bootstrap" find-hanging --topic "${prefix}txn"
  expect "^Topic\s+Partition\s+ProducerId" "$scratch/out"
  refuse "^${prefix}txn" "$scratch/out"
}

share_console() {
  tool kafka-topics --bootstrap-server "$bootstrap" --create --topic "${prefix}shared" --partitions 1
  seq 1 5 | tool kafka-console-producer --bootstrap-server "$bootstrap" --topic "${prefix}shared"
  tool kafka-configs --bootstrap-server "$bootstrap" --alter --entity-type groups --entity-name "${prefix}share" --add-config share.auto.offset.reset=earliest
  capture out tool kafka-console-share-consumer --bootstrap-server "$bootstrap" --topic "${prefix}shared" --group "${prefix}share" --max-messages 5 --timeout-ms 20000
  expect "^1$" "$scratch/out" && expect "^5$" "$scratch/out"
  capture out tool kafka-console-share-consumer --bootstrap-server "$bootstrap" --topic "${prefix}shared" --group "${prefix}share" --timeout-ms 3000
  refuse "^[1-5]$" "$scratch/out"
}

share_groups() {
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --list
  expect "^${prefix}share" "$scratch/out"
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --describe --group "${prefix}share"
  expect "^${prefix}share\s+${prefix}shared\s+0\s+[0-9]+" "$scratch/out"
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --describe --state --group "${prefix}share"
  expect "^${prefix}share\s.*\sEmpty\s" "$scratch/out"
  capture out tool kafka-groups --bootstrap-server "$bootstrap" --list
  expect "^${prefix}share\s+Share\s+share" "$scratch/out"
}

share_groups_reset_and_delete() {
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --reset-offsets --group "${prefix}share" --topic "${prefix}shared" --to-earliest --execute
  capture out tool kafka-console-share-consumer --bootstrap-server "$bootstrap" --topic "${prefix}shared" --group "${prefix}share" --max-messages 5 --timeout-ms 20000
  expect "^5$" "$scratch/out"
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --delete-offsets --group "${prefix}share" --topic "${prefix}shared"
  capture out tool kafka-share-groups --bootstrap-server "$bootstrap" --delete --group "${prefix}share"
  expect "${prefix}share.*success" "$scratch/out"
}

check topics-create topics_create
check topics-create-twice topics_create_twice
check topics-create-if-not-exists topics_if_not_exists
check topics-list topics_list
check topics-describe topics_describe
cp "$scratch/out" "$scratch/described"
check topics-describe-under-replicated topics_describe_filters
check topics-alter-partitions topics_alter
check topics-describe-unknown topics_unknown
check topics-delete topics_delete
check configs-alter-topic configs_alter_topic
check configs-delete-topic configs_delete_topic
check configs-describe-all-of-topic configs_describe_all
check configs-describe-broker configs_describe_broker
check configs-unknown-key configs_wrong
check console-keys-and-headers console_keys_and_headers
check console-compressed-and-group console_codec
check console-group-continues console_end_of_topic
check console-from-offset console_from_offset
check broker-api-versions api_versions
check cluster-id cluster_id
check get-offsets get_offsets
check delete-records delete_records
check log-dirs log_dirs
check leader-election leader_election
check leader-election-unknown leader_election_unknown
check reassign-in-place reassign_in_place
check reassign-to-an-unknown-broker reassign_elsewhere
check reassign-to-every-directory reassign_to_directories
check reassign-to-an-unknown-directory reassign_to_no_directory
check client-metrics client_metrics
check client-metrics-wrong client_metrics_wrong
check metadata-quorum metadata_quorum
check unregister-an-unknown-broker unregister_unknown
check consumer-groups-list groups_list
check consumer-groups-describe groups_describe
check consumer-groups-reset-offsets groups_reset
check consumer-groups-delete groups_delete
check producer-perf-test producer_perf
check producer-perf-test-compressed producer_perf_codec
check consumer-perf-test consumer_perf
check e2e-latency e2e_latency
check features-describe features_describe
check features-change features_change
check transactions-list transactions_list
check transactions-describe transactions_describe
check transactions-find-hanging transactions_hanging
check share-console share_console
check share-groups share_groups
check share-groups-reset-and-delete share_groups_reset_and_delete
finish
