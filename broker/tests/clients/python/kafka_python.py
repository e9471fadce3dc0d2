"""kafka-python: KafkaProducer, KafkaConsumer, KafkaAdminClient."""

import time

import kafka.errors
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

from suite import BOOTSTRAP, PATIENCE_S, check, equal, finish, name, raises, until

admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def topic(label, partitions=1, configs=None):
    created = name(label)
    admin.create_topics([NewTopic(created, partitions, 1, topic_configs=configs or {})])
    until(lambda: led(created, partitions), f"{created} has its leaders")
    return created


def led(topic, partitions):
    [found] = admin.describe_topics([topic])
    return len(found["partitions"]) == partitions and all(p["leader_id"] >= 0 for p in found["partitions"])


def produce(topic, count, partition=0, start_ms=None, step_ms=0, **settings):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)
    try:
        at = start_ms or int(time.time() * 1000)
        futures = [producer.send(topic, str(i).encode(), b"k", partition=partition, timestamp_ms=at + i * step_ms) for i in range(count)]
        return [future.get(PATIENCE_S).offset for future in futures]
    finally:
        producer.close(PATIENCE_S)


def consumer(*topics, **settings):
    settings = {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 100} | settings
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **settings)


def take(reader, count):
    records, end = [], time.monotonic() + PATIENCE_S
    while len(records) < count and time.monotonic() < end:
        for batch in reader.poll(timeout_ms=200, max_records=count - len(records)).values():
            records.extend(batch)
    equal(count, len(records), "records")
    return records


def read(topic, count, offset=0, partition=0, **settings):
    reader = consumer(**settings)
    try:
        at = TopicPartition(topic, partition)
        reader.assign([at])
        reader.seek(at, offset)
        return take(reader, count)
    finally:
        reader.close()


def produce_and_read(label, **settings):
    made = topic(label, 2)
    for partition in (0, 1):
        offsets = produce(made, 200, partition, linger_ms=5, **settings)
        if settings.get("acks") != 0:
            equal(list(range(200)), offsets, "offsets in the answers")
        records = read(made, 200, partition=partition)
        equal(list(range(200)), [r.offset for r in records], "offsets")
        equal([str(i).encode() for i in range(200)], [r.value for r in records], "values")


def fields():
    made = topic("fields")
    at = int(time.time() * 1000) - 3_600_000
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    producer.send(made, b"v", b"k", headers=[("a", b"1"), ("b", b"")], timestamp_ms=at)
    producer.send(made, None, b"tombstone")
    producer.send(made, b"", b"")
    producer.send(made, b"x" * 900_000)
    producer.close(PATIENCE_S)
    first, tombstone, empties, large = read(made, 4)
    equal([("a", b"1"), ("b", b"")], list(first.headers), "headers")
    equal(at, first.timestamp, "timestamp")
    equal(None, tombstone.value, "a null value")
    equal((b"", b""), (empties.key, empties.value), "empties")
    equal(900_000, len(large.value), "a large value")


def auto_create():
    made = name("auto")
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    equal(0, producer.send(made, b"v").get(PATIENCE_S).offset, "offset")
    producer.close(PATIENCE_S)
    equal(b"v", read(made, 1)[0].value, "value")


def too_large():
    made = topic("too-large", configs={"max.message.bytes": "1000"})
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    raises(kafka.errors.MessageSizeTooLargeError, lambda: producer.send(made, b"x" * 5000).get(PATIENCE_S))
    producer.close(PATIENCE_S)


def offsets():
    made = topic("offsets")
    start = int(time.time() * 1000) - 100_000
    for i in range(10):
        produce(made, 1, start_ms=start + i * 1000)
    at = TopicPartition(made, 0)
    reader = consumer()
    try:
        equal({at: 0}, reader.beginning_offsets([at]), "beginning")
        equal({at: 10}, reader.end_offsets([at]), "end")
        equal(4, reader.offsets_for_times({at: start + 3500})[at].offset, "for a time")
        equal(None, reader.offsets_for_times({at: start + 3_600_000})[at], "after all")
        reader.assign([at])
        reader.seek_to_end(at)
        equal(10, reader.position(at), "position")
    finally:
        reader.close()


def admin_offsets():
    made = topic("admin-offsets")
    produce(made, 10)
    at = TopicPartition(made, 0)
    for spec, expected in ((OffsetSpec.EARLIEST, 0), (OffsetSpec.LATEST, 10), (OffsetSpec.EARLIEST_LOCAL, 0), (OffsetSpec.LATEST_TIERED, -1)):
        equal(expected, admin.list_partition_offsets({at: spec})[at].offset, f"{spec}")


def pause_and_resume():
    made = topic("pause")
    produce(made, 10)
    at = TopicPartition(made, 0)
    reader = consumer()
    try:
        reader.assign([at])
        reader.pause(at)
        equal({}, reader.poll(timeout_ms=300), "while paused")
        reader.resume(at)
        take(reader, 10)
    finally:
        reader.close()


def read_committed():
    made = topic("committed")
    produce(made, 10)
    equal(9, read(made, 10, isolation_level="read_committed")[9].offset, "the last offset")


def group():
    made = topic("group", 2)
    for partition in (0, 1):
        produce(made, 20, partition)
    at = TopicPartition(made, 0)
    member = consumer(made, group_id=name("g"))
    take(member, 40)
    equal(2, len(member.assignment()), "partitions assigned")
    member.commit({at: OffsetAndMetadata(12, "note", -1), TopicPartition(made, 1): OffsetAndMetadata(20, "", -1)})
    equal(12, member.committed(at), "committed")
    member.close()
    member = consumer(made, group_id=name("g"))
    equal(list(range(12, 20)), [r.offset for r in take(member, 8)], "offsets after the commit")
    member.close()


def auto_commit():
    made = topic("auto-commit")
    produce(made, 5)
    member = consumer(made, group_id=name("ga"), enable_auto_commit=True)
    take(member, 5)
    member.close()
    member = consumer(group_id=name("ga"))
    equal(5, member.committed(TopicPartition(made, 0)), "committed when it was closed")
    member.close()


def topics():
    made = topic("life")
    raises(kafka.errors.TopicAlreadyExistsError, lambda: admin.create_topics([NewTopic(made, 1, 1)]))
    raises(kafka.errors.InvalidTopicError, lambda: admin.create_topics([NewTopic("not a topic", 1, 1)]))
    admin.create_partitions({made: NewPartitions(3)})
    until(lambda: led(made, 3), "three partitions")
    admin.delete_topics([made])
    until(lambda: made not in admin.list_topics(), "the topic is gone")


def cluster():
    found = admin.describe_cluster()
    equal([BOOTSTRAP], [f"{b['host']}:{b['port']}" for b in found["brokers"]], "brokers")


def configs():
    made = topic("configs")
    resource = ConfigResource(ConfigResourceType.TOPIC, made, {"retention.ms": "123456"})
    admin.alter_configs([resource])
    asked = ConfigResource(ConfigResourceType.TOPIC, made)
    until(lambda: "123456" in str(admin.describe_configs([asked])), "the new value")


def delete_records():
    made = topic("delete-records")
    produce(made, 10)
    at = TopicPartition(made, 0)
    equal(6, admin.delete_records({at: 6})[at]["low_watermark"], "low watermark")
    equal(6, read(made, 4, offset=0)[0].offset, "the first that is left")


check("cluster", cluster)
check("produce-idempotent", produce_and_read, "idempotent")
for acks in (0, 1, "all"):
    check(f"produce-acks-{acks}", lambda: produce_and_read(f"acks-{acks}", acks=acks, enable_idempotence=False))
for codec in ("gzip", "snappy", "lz4", "zstd"):
    check(f"compression-{codec}", lambda: produce_and_read(f"codec-{codec}", compression_type=codec))
check("record-fields", fields)
check("auto-create", auto_create)
check("record-too-large", too_large)
check("offsets", offsets)
check("admin-offsets", admin_offsets)
check("pause-and-resume", pause_and_resume)
check("read-committed", read_committed)
check("group-one-member", group)
check("group-auto-commit", auto_commit)
check("topics", topics)
check("configs", configs)
check("delete-records", delete_records)
finish()
