# Starts and stops one broker at a time. Sourced by compare.sh.
#
# start_thalweg DIR and start_kafka DIR set: pid, boot (host:port), ready_ms. Started again on the same DIR, a broker
# finds its data. Only a pid that was started here is ever signalled.

pid=; boot=; ready_ms=; admin=

# The JVM flags that kafka-server-start.sh and kafka-run-class.sh ship.
jvm=(-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true)

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((25000 + RANDOM % 7000))
    case " ${taken:-} " in *" $port "*) continue ;; esac
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { taken="${taken:-} $port"; free=$port; return 0; }
  done
  die "no free port between 25000 and 32000"
}

# await DIR ARGS...: sets ready_ms, or shows the end of the broker's log.
await() {
  local dir=$1 out; shift
  out=$(timeout 130 "$bench" ready --pid "$pid" --seconds 120 "$@" 2>&1) || { tail -20 "$dir/log" >&2; stop_broker; die "$out"; }
  ready_ms=${out#ready_ms=}
}

start_thalweg() {
  local dir=$1 began; shift
  mkdir -p "$dir"; taken=; free_port; boot=127.0.0.1:$free; free_port; admin=127.0.0.1:$free; free_port
  began=$EPOCHREALTIME
  "$thalwegd" --override "listeners=PLAINTEXT://$boot" --override "advertised.listeners=PLAINTEXT://$boot" \
    --override "thalweg.admin.listener=$admin" --override "thalweg.rpc.listener=127.0.0.1:$free" \
    --override "log.dirs=$dir/data" "$@" >> "$dir/log" 2>&1 < /dev/null &
  pid=$!
  await "$dir" --http "$admin" --since "$began"
}

# One combined broker and controller with the values of the shipped server.properties.
start_kafka() {
  local dir=$1 controller began
  mkdir -p "$dir"; taken=; free_port; boot=127.0.0.1:$free; free_port; controller=127.0.0.1:$free
  cat > "$dir/server.properties" << P
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=$controller
listeners=PLAINTEXT://$boot,CONTROLLER://$controller
advertised.listeners=PLAINTEXT://$boot,CONTROLLER://$controller
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
log.dirs=$dir/data
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
P
  # Formatting is another program's work and not counted in the time to readiness.
  [ -e "$dir/data/meta.properties" ] || tool kafka.tools.StorageTool format -t "$(tool kafka.tools.StorageTool random-uuid)" \
    -c "$dir/server.properties" --standalone > "$dir/format.log" 2>&1 || die "kafka-storage format: $(tail -3 "$dir/format.log")"
  began=$EPOCHREALTIME
  java -Xmx1G -Xms1G "${jvm[@]}" "-Dlog4j2.configurationFile=$here/kafka/log4j2-server.properties" -cp "$libs/*" \
    kafka.Kafka "$dir/server.properties" >> "$dir/log" 2>&1 < /dev/null &
  pid=$!
  await "$dir" --bootstrap "$boot" --since "$began"
}

# stop_broker [SIGNAL]: TERM unless told otherwise; KILL after 60 s.
stop_broker() {
  [ -n "$pid" ] || return 0
  kill "-${1:-TERM}" "$pid" 2> /dev/null
  for _ in $(seq 600); do alive || break; sleep 0.1; done
  alive && { echo "compare.sh: pid $pid did not stop within 60 s" >&2; kill -KILL "$pid"; }
  wait "$pid" 2> /dev/null
  pid=
}

alive() { [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null && ! grep -q ') Z ' "/proc/$pid/stat" 2> /dev/null; }

# tool CLASS ARGS...: one of Kafka's command line tools, bounded in time.
tool() {
  timeout "${TOOL_SECONDS:-300}" java -Xmx512M "${jvm[@]}" "-Dlog4j2.configurationFile=$here/kafka/log4j2-tools.properties" -cp "$libs/*" "$@"
}

create() { # TOPIC PARTITIONS [key=value]
  timeout 200 "$bench" topic --bootstrap "$boot" --topic "$1" --partitions "$2" ${3:+--config "$3"} --seconds 180
}
