"""librdkafka through confluent-kafka."""

import time

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import TopicCollection, OFFSET_BEGINNING, OFFSET_END
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from suite import BOOTSTRAP, PATIENCE_S, check, equal, finish, name, until

admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def topic(label, partitions=1, config=None):
    created = name(label)
    futures = admin.create_topics([NewTopic(created, partitions, 1, config=config or {})])
    futures[created].result(PATIENCE_S)
    until(lambda: led(created, partitions), f"{created} has its leaders")
    return created


def led(topic, partitions):
    found = admin.list_topics(timeout=PATIENCE_S).topics.get(topic)
    return found and len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions.values())


def produce(topic, records, **settings):
    """Writes `(partition, key, value, headers, timestamp)` tuples; returns their offsets."""
    config = {"bootstrap.servers": BOOTSTRAP, "delivery.timeout.ms": PATIENCE_S * 1000}
    producer = Producer(config | {key.replace("_", "."): value for key, value in settings.items()})
    offsets = []

    def delivered(error, message):
        if error:
            raise KafkaException(error)
        offsets.append(message.offset())

    for partition, key, value, headers, timestamp in records:
        producer.produce(
            topic, value, key, partition, on_delivery=delivered, timestamp=timestamp, headers=headers or []
        )
    equal(0, producer.flush(PATIENCE_S), "records that were not delivered")
    equal(len(records), len(offsets), "delivery reports")
    return offsets


def numbered(count, partition=0, start_ms=0, step_ms=0):
    return [(partition, b"k", str(i).encode(), None, start_ms + i * step_ms) for i in range(count)]


def consumer(group="none", **settings):
    config = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": name(group),
        "group.protocol": "classic",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 100,
    }
    return Consumer(config | {key.replace("_", "."): value for key, value in settings.items()})


def take(reader, count):
    messages, end = [], time.monotonic() + PATIENCE_S
    while len(messages) < count and time.monotonic() < end:
        for message in reader.consume(count - len(messages), 0.2):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    equal(count, len(messages), "records")
    return messages


def read(topic, count, offset=OFFSET_BEGINNING, partition=0, **settings):
    reader = consumer(**settings)
    try:
        reader.assign([TopicPartition(topic, partition, offset)])
        return take(reader, count)
    finally:
        reader.close()


def fails_with(code, future):
    try:
        future.result(PATIENCE_S)
    except KafkaException as error:
        return equal(code, error.args[0].code(), "error code")
    raise AssertionError(f"error {code} was expected")


def metadata():
    found = admin.list_topics(timeout=PATIENCE_S)
    equal([BOOTSTRAP], [f"{b.host}:{b.port}" for b in found.brokers.values()], "brokers")
    cluster = admin.describe_cluster().result(PATIENCE_S)
    equal(found.cluster_id, cluster.cluster_id, "cluster id")
    equal(1, len(cluster.nodes), "nodes")


def produce_and_read(label, **settings):
    """Offsets are only known where an answer comes, so they are checked where they are read."""
    made = topic(label, 2)
    for partition in (0, 1):
        produce(made, numbered(300, partition), linger_ms=5, **settings)
    for partition in (0, 1):
        messages = read(made, 300, partition=partition)
        equal(list(range(300)), [m.offset() for m in messages], "offsets")
        equal([str(i).encode() for i in range(300)], [m.value() for m in messages], "values")


def fields():
    made = topic("fields")
    at = int(time.time() * 1000) - 3_600_000
    large = bytes(range(256)) * 3900
    produce(made, [(0, b"k", b"v", [("a", b"1"), ("a", None)], at), (0, None, None, None, at), (0, b"", b"", None, at), (0, None, large, None, at)])
    first, nulls, empties, big = read(made, 4)
    equal([("a", b"1"), ("a", None)], first.headers(), "headers")
    equal(at, first.timestamp()[1], "timestamp")
    equal((None, None), (nulls.key(), nulls.value()), "nulls")
    equal((b"", b""), (empties.key(), empties.value()), "empties")
    equal(large, big.value(), "a large value")


def too_large():
    made = topic("too-large", config={"max.message.bytes": "1000"})
    reports = []
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    producer.produce(made, b"x" * 5000, on_delivery=lambda error, _: reports.append(error))
    producer.flush(PATIENCE_S)
    equal(KafkaError.MSG_SIZE_TOO_LARGE, reports[0].code(), "error code")


def watermarks():
    made = topic("watermarks")
    start = int(time.time() * 1000) - 100_000
    produce(made, numbered(10, 0, start, 1000), batch_num_messages=1)
    reader = consumer()
    try:
        equal((0, 10), reader.get_watermark_offsets(TopicPartition(made, 0), PATIENCE_S), "watermarks")
        [found] = reader.offsets_for_times([TopicPartition(made, 0, start + 3500)], PATIENCE_S)
        equal(4, found.offset, "offset for a time")
        [after] = reader.offsets_for_times([TopicPartition(made, 0, start + 3_600_000)], PATIENCE_S)
        equal(OFFSET_END, after.offset, "offset for a time after all")
    finally:
        reader.close()
    for spec, offset in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.max_timestamp(), 9), (OffsetSpec.for_timestamp(start + 1), 1)):
        futures = admin.list_offsets({TopicPartition(made, 0): spec}, isolation_level=IsolationLevel.READ_COMMITTED)
        equal(offset, futures[TopicPartition(made, 0)].result(PATIENCE_S).offset, "listed offset")


def seek_pause_resume():
    made = topic("seek")
    produce(made, numbered(20))
    reader = consumer()
    try:
        at = TopicPartition(made, 0, 0)
        reader.assign([at])
        take(reader, 20)
        reader.seek(TopicPartition(made, 0, 15))
        equal(15, take(reader, 5)[0].offset(), "after a seek")
        reader.pause([at])
        reader.seek(TopicPartition(made, 0, 2))
        equal([], reader.consume(1, 0.3), "while paused")
        reader.resume([at])
        take(reader, 1)
    finally:
        reader.close()


def read_committed():
    made = topic("committed")
    produce(made, numbered(10))
    equal(10, len(read(made, 10, isolation_level="read_committed")), "records")


def group():
    made = topic("group", 3)
    for partition in range(3):
        produce(made, numbered(20, partition))
    member = consumer("g")
    member.subscribe([made])
    take(member, 60)
    equal(3, len(member.assignment()), "partitions assigned")
    member.commit(asynchronous=False)
    committed = member.committed([TopicPartition(made, p) for p in range(3)], PATIENCE_S)
    equal([20, 20, 20], [c.offset for c in committed], "committed")
    member.close()
    produce(made, numbered(5, 1))
    member = consumer("g")
    member.subscribe([made])
    equal([20, 21, 22, 23, 24], [m.offset() for m in take(member, 5)], "offsets after the commit")
    member.close()


def cooperative_group():
    made = topic("cooperative", 2)
    produce(made, numbered(10))
    member = consumer("gc", partition_assignment_strategy="cooperative-sticky")
    member.subscribe([made])
    take(member, 10)
    member.close()


def modern_group():
    """The consumer protocol of KIP-848: one member, then two that share, then one again."""
    created = topic("modern", 2)
    for partition in range(2):
        produce(created, numbered(5, partition))
    settings = {"group": "modern", "group_protocol": "consumer"}
    one, other = (Consumer(modern_config(settings)) for _ in range(2))
    one.subscribe([created])
    equal(10, len(take(one, 10)), "records of the only member")
    one.commit(asynchronous=False)
    other.subscribe([created])
    until(lambda: shared(one, other, 1), "each has one partition")
    other.close()
    until(lambda: one.poll(0.1) or len(one.assignment()) == 2, "all of it again")
    equal([5, 5], [p.offset for p in one.committed(one.assignment(), PATIENCE_S)], "committed")
    one.close()


def modern_config(settings):
    return {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": name(settings["group"]),
        "group.protocol": settings["group_protocol"],
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }


def shared(one, other, each):
    one.poll(0.1)
    other.poll(0.1)
    return len(one.assignment()) == each and len(other.assignment()) == each


def topics_admin():
    made = topic("admin", 1)
    fails_with(KafkaError.TOPIC_ALREADY_EXISTS, admin.create_topics([NewTopic(made, 1, 1)])[made])
    fails_with(KafkaError.TOPIC_EXCEPTION, admin.create_topics([NewTopic("not a topic", 1, 1)])["not a topic"])
    admin.create_partitions([NewPartitions(made, 3)])[made].result(PATIENCE_S)
    until(lambda: led(made, 3), "three partitions")
    described = admin.describe_topics(TopicCollection([made]))[made].result(PATIENCE_S)
    equal(3, len(described.partitions), "partitions described")
    assert not described.is_internal and described.topic_id, described
    admin.delete_topics([made])[made].result(PATIENCE_S)
    until(lambda: made not in admin.list_topics(timeout=PATIENCE_S).topics, "the topic is gone")


def configs():
    made = topic("configs", config={"retention.ms": "60000"})
    change = ConfigResource(ResourceType.TOPIC, made, incremental_configs=[ConfigEntry("segment.bytes", "2097152", incremental_operation=AlterConfigOpType.SET)])
    for future in admin.incremental_alter_configs([change]).values():
        future.result(PATIENCE_S)

    def values():
        [future] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, made)]).values()
        return future.result(PATIENCE_S)

    until(lambda: values()["segment.bytes"].value == "2097152", "the new value")
    equal("60000", values()["retention.ms"].value, "retention.ms")
    equal(False, values()["retention.ms"].is_default, "its default")
    equal(True, values()["retention.bytes"].is_default, "another's default")


def delete_records():
    made = topic("delete-records")
    produce(made, numbered(10))
    [future] = admin.delete_records([TopicPartition(made, 0, 6)]).values()
    equal(6, future.result(PATIENCE_S).low_watermark, "low watermark")
    equal([6, 7, 8, 9], [m.offset() for m in read(made, 4, offset=0)], "what is left")


check("metadata", metadata)
check("produce-idempotent", produce_and_read, "idempotent")
for acks in ("0", "1", "all"):
    check(f"produce-acks-{acks}", lambda: produce_and_read(f"acks-{acks}", acks=acks, enable_idempotence=False))
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    check(f"compression-{codec}", lambda: produce_and_read(f"codec-{codec}", compression_type=codec))
check("record-fields", fields)
check("record-too-large", too_large)
check("watermarks-and-times", watermarks)
check("seek-pause-resume", seek_pause_resume)
check("read-committed", read_committed)
check("group-one-member", group)
check("group-cooperative", cooperative_group)
check("group-consumer-protocol", modern_group)
check("topics", topics_admin)
check("configs", configs)
check("delete-records", delete_records)
finish()
