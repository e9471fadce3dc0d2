"""aiokafka: AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient."""

import asyncio
import time

import aiokafka.errors
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from suite import BOOTSTRAP, PATIENCE_S, check_async, equal, finish, name

admin = None


async def topic(label, partitions=1, configs=None):
    created = name(label)
    answer = await admin.create_topics([NewTopic(created, partitions, 1, topic_configs=configs or {})])
    equal(0, answer.topic_errors[0][1], "error code of CreateTopics")
    await until(lambda: led(created, partitions), f"{created} has its leaders")
    return created


async def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never: {what}")


async def led(topic, partitions):
    [found] = await admin.describe_topics([topic])
    return len(found["partitions"]) == partitions and all(p["leader"] >= 0 for p in found["partitions"])


async def produce(topic, count, partition=0, start_ms=None, step_ms=0, **settings):
    at = start_ms or int(time.time() * 1000)
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **settings) as producer:
        futures = [await producer.send(topic, str(i).encode(), b"k", partition, timestamp_ms=at + i * step_ms) for i in range(count)]
        await producer.flush()
        return [await future for future in futures]


def consumer(*topics, **settings):
    settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 100} | settings
    return AIOKafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **settings)


async def take(reader, count):
    records, end = [], time.monotonic() + PATIENCE_S
    while len(records) < count and time.monotonic() < end:
        for batch in (await reader.getmany(timeout_ms=200, max_records=count - len(records))).values():
            records.extend(batch)
    equal(count, len(records), "records")
    return records


async def read(topic, count, offset=0, partition=0, **settings):
    async with consumer(**settings) as reader:
        at = TopicPartition(topic, partition)
        reader.assign([at])
        reader.seek(at, offset)
        return await take(reader, count)


async def produce_and_read(label, **settings):
    made = await topic(label, 2)
    for partition in (0, 1):
        await produce(made, 200, partition, linger_ms=5, **settings)
        records = await read(made, 200, partition=partition)
        equal(list(range(200)), [r.offset for r in records], "offsets")
        equal([str(i).encode() for i in range(200)], [r.value for r in records], "values")


async def fields():
    made = await topic("fields")
    at = int(time.time() * 1000) - 3_600_000
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as producer:
        await producer.send_and_wait(made, b"v", b"k", headers=[("a", b"1"), ("b", None)], timestamp_ms=at)
        await producer.send_and_wait(made, None, b"tombstone")
        await producer.send_and_wait(made, b"", b"")
        await producer.send_and_wait(made, b"x" * 900_000)
    first, tombstone, empties, large = await read(made, 4)
    equal([("a", b"1"), ("b", None)], list(first.headers), "headers")
    equal(at, first.timestamp, "timestamp")
    equal(None, tombstone.value, "a null value")
    equal((b"", b""), (empties.key, empties.value), "empties")
    equal(900_000, len(large.value), "a large value")


async def too_large():
    made = await topic("too-large", configs={"max.message.bytes": "1000"})
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as producer:
        try:
            await producer.send_and_wait(made, b"x" * 5000)
        except aiokafka.errors.MessageSizeTooLargeError:
            return
    raise AssertionError("a record above the limit was taken")


async def offsets():
    made = await topic("offsets")
    start = int(time.time() * 1000) - 100_000
    for i in range(10):
        await produce(made, 1, start_ms=start + i * 1000)
    at = TopicPartition(made, 0)
    async with consumer() as reader:
        equal({at: 0}, await reader.beginning_offsets([at]), "beginning")
        equal({at: 10}, await reader.end_offsets([at]), "end")
        equal(4, (await reader.offsets_for_times({at: start + 3500}))[at].offset, "for a time")
        equal(None, (await reader.offsets_for_times({at: start + 3_600_000}))[at], "after all")
        reader.assign([at])
        await reader.seek_to_end(at)
        equal(10, await reader.position(at), "position")


async def pause_and_resume():
    made = await topic("pause")
    await produce(made, 10)
    at = TopicPartition(made, 0)
    async with consumer() as reader:
        reader.assign([at])
        reader.pause(at)
        equal({}, await reader.getmany(timeout_ms=300), "while paused")
        reader.resume(at)
        await take(reader, 10)


async def read_committed():
    made = await topic("committed")
    await produce(made, 10)
    equal(9, (await read(made, 10, isolation_level="read_committed"))[9].offset, "the last offset")


async def group():
    made = await topic("group", 2)
    for partition in (0, 1):
        await produce(made, 20, partition)
    first, second = TopicPartition(made, 0), TopicPartition(made, 1)
    async with consumer(made, group_id=name("g")) as member:
        await take(member, 40)
        equal({first, second}, member.assignment(), "assignment")
        await member.commit({first: (12, "note"), second: 20})
        equal(12, await member.committed(first), "committed")
    async with consumer(made, group_id=name("g")) as member:
        equal(list(range(12, 20)), [r.offset for r in await take(member, 8)], "offsets after the commit")


async def auto_commit():
    made = await topic("auto-commit")
    await produce(made, 5)
    async with consumer(made, group_id=name("ga"), enable_auto_commit=True) as member:
        await take(member, 5)
    async with consumer(group_id=name("ga")) as member:
        equal(5, await member.committed(TopicPartition(made, 0)), "committed when it was closed")


async def topics():
    made = await topic("life")
    answer = await admin.create_topics([NewTopic(made, 1, 1)])
    equal(aiokafka.errors.TopicAlreadyExistsError.errno, answer.topic_errors[0][1], "creating it twice")
    await admin.create_partitions({made: NewPartitions(3)})
    await until(lambda: led(made, 3), "three partitions")
    await admin.delete_topics([made])

    async def gone():
        return made not in await admin.list_topics()

    await until(gone, "the topic is gone")


async def configs():
    made = await topic("configs")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made, {"retention.ms": "123456"})])

    async def altered():
        return "123456" in str(await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, made)]))

    await until(altered, "the new value")


async def delete_records():
    made = await topic("delete-records")
    await produce(made, 10)
    at = TopicPartition(made, 0)
    equal({at: 6}, await admin.delete_records({at: RecordsToDelete(6)}), "low watermark")
    equal(6, (await read(made, 4))[0].offset, "the first that is left")


async def main():
    global admin
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await check_async("produce-idempotent", lambda: produce_and_read("idempotent", enable_idempotence=True))
    for acks in (0, 1, "all"):
        await check_async(f"produce-acks-{acks}", lambda: produce_and_read(f"acks-{acks}", acks=acks))
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        await check_async(f"compression-{codec}", lambda: produce_and_read(f"codec-{codec}", compression_type=codec))
    await check_async("record-fields", fields)
    await check_async("record-too-large", too_large)
    await check_async("offsets", offsets)
    await check_async("pause-and-resume", pause_and_resume)
    await check_async("read-committed", read_committed)
    await check_async("group-one-member", group)
    await check_async("group-auto-commit", auto_commit)
    await check_async("topics", topics)
    await check_async("configs", configs)
    await check_async("delete-records", delete_records)
    await admin.close()


asyncio.run(main())
finish()
