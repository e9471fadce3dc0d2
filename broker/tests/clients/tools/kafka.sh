# Shared by the suites of Kafka's command line tools. KAFKA_LIBS: the folder with Kafka's jars.

# class_of NAME: the class behind the script of that name.
class_of() {
  case $1 in
    kafka-broker-api-versions) echo org.apache.kafka.tools.BrokerApiVersionsCommand ;;
    kafka-client-metrics) echo org.apache.kafka.tools.ClientMetricsCommand ;;
    kafka-cluster) echo org.apache.kafka.tools.ClusterTool ;;
    kafka-configs) echo kafka.admin.ConfigCommand ;;
    kafka-console-consumer) echo org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    kafka-console-producer) echo org.apache.kafka.tools.ConsoleProducer ;;
    kafka-consumer-groups) echo org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    kafka-consumer-perf-test) echo org.apache.kafka.tools.ConsumerPerformance ;;
    kafka-delete-records) echo org.apache.kafka.tools.DeleteRecordsCommand ;;
    kafka-e2e-latency) echo org.apache.kafka.tools.EndToEndLatency ;;
    kafka-features) echo org.apache.kafka.tools.FeatureCommand ;;
    kafka-get-offsets) echo org.apache.kafka.tools.GetOffsetShell ;;
    kafka-groups) echo org.apache.kafka.tools.GroupsCommand ;;
    kafka-leader-election) echo org.apache.kafka.tools.LeaderElectionCommand ;;
    kafka-log-dirs) echo org.apache.kafka.tools.LogDirsCommand ;;
    kafka-metadata-quorum) echo org.apache.kafka.tools.MetadataQuorumCommand ;;
    kafka-producer-perf-test) echo org.apache.kafka.tools.ProducerPerformance ;;
    kafka-share-groups) echo org.apache.kafka.tools.consumer.group.ShareGroupCommand ;;
    kafka-console-share-consumer) echo org.apache.kafka.tools.consumer.ConsoleShareConsumer ;;
    kafka-reassign-partitions) echo org.apache.kafka.tools.reassign.ReassignPartitionsCommand ;;
    kafka-transactions) echo org.apache.kafka.tools.TransactionsCommand ;;
    kafka-topics) echo org.apache.kafka.tools.TopicCommand ;;
    *) echo "no class known for $1" >&2; return 2 ;;
  esac
}

# The quick compiler and the small collector: these are short lives.
java_options=(-Xmx512M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

# tool NAME ARGS...: runs the tool of that name.
tool() {
  local class
  class=$(class_of "$1") || return
  shift
  timeout 60 java "${java_options[@]}" -cp "$KAFKA_LIBS/../classes:$KAFKA_LIBS/*" "$class" "$@"
}

# exec_tool NAME ARGS...: the same in the place of this shell, for the background: a signal reaches it.
exec_tool() {
  local class
  class=$(class_of "$1") || return
  shift
  exec java "${java_options[@]}" -cp "$KAFKA_LIBS/../classes:$KAFKA_LIBS/*" "$class" "$@"
}

# capture FILE COMMAND...: stdout and stderr into a scratch file and onto the check's own output.
capture() {
  local file=$scratch/$1 status
  shift
  "$@" > "$file" 2>&1 && status=0 || status=$?
  cat "$file"
  return "$status"
}
