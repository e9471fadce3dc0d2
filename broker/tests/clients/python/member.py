"""A member of a group: `member.py CLIENT BOOTSTRAP TOPIC GROUP`. Takes records one by one and commits each; see members.rs."""

import asyncio
import signal
import sys
import time

CLIENT, BOOTSTRAP, TOPIC, GROUP = sys.argv[1:5]
HEARTBEAT_MS = 300
SESSION_MS = 30_000
running = True


def say(what, partition, offset, value=""):
    print(what, time.time_ns() // 1000, partition, offset, value, flush=True)


def stop(*_):
    global running
    running = False


def confluent(protocol):
    from confluent_kafka import Consumer, KafkaException

    config = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": GROUP,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
    }
    if protocol == "classic":
        config |= {
            "partition.assignment.strategy": "range",
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "session.timeout.ms": SESSION_MS,
        }
    consumer = Consumer(config)
    consumer.subscribe([TOPIC])
    while running:
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        say("seen", message.partition(), message.offset(), message.value().decode())
        try:
            consumer.commit(message=message, asynchronous=False)
        except KafkaException:
            continue
        say("committed", message.partition(), message.offset() + 1)
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer, TopicPartition
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.errors import KafkaError
    from kafka.structs import OffsetAndMetadata

    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=BOOTSTRAP,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        partition_assignment_strategy=[RangePartitionAssignor],
        heartbeat_interval_ms=HEARTBEAT_MS,
        session_timeout_ms=SESSION_MS,
        fetch_max_wait_ms=100,
    )
    while running:
        for records in consumer.poll(timeout_ms=200, max_records=1).values():
            for record in records:
                say("seen", record.partition, record.offset, record.value.decode())
                try:
                    consumer.commit(
                        {TopicPartition(TOPIC, record.partition): OffsetAndMetadata(record.offset + 1, "", -1)}
                    )
                except KafkaError:
                    continue
                say("committed", record.partition, record.offset + 1)
    consumer.close(autocommit=False)


async def aiokafka():
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=BOOTSTRAP,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        partition_assignment_strategy=(RangePartitionAssignor,),
        heartbeat_interval_ms=HEARTBEAT_MS,
        session_timeout_ms=SESSION_MS,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    while running:
        for records in (await consumer.getmany(timeout_ms=200, max_records=1)).values():
            for record in records:
                say("seen", record.partition, record.offset, record.value.decode())
                try:
                    await consumer.commit({TopicPartition(TOPIC, record.partition): record.offset + 1})
                except KafkaError:
                    continue
                say("committed", record.partition, record.offset + 1)
    await consumer.stop()


signal.signal(signal.SIGTERM, stop)
match CLIENT:
    case "confluent":
        confluent("classic")
    case "confluent-modern":
        confluent("consumer")
    case "kafka-python":
        kafka_python()
    case "aiokafka":
        asyncio.run(aiokafka())
    case other:
        sys.exit(f"no such client: {other}")
