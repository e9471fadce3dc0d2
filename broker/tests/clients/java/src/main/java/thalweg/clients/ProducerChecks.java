package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.bytes;
import static thalweg.clients.Fixture.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;

/** KafkaProducer, each time read back by a KafkaConsumer. */
final class ProducerChecks {
    private final Fixture fixture;
    private final Checks checks;

    ProducerChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("producer-idempotent-default", this::idempotentByDefault);
        for (String acks : List.of("0", "1", "all")) {
            checks.check("producer-acks-" + acks, () -> acks(acks));
        }
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            checks.check("producer-compression-" + codec, () -> compression(codec));
            checks.check("topic-compression-" + codec, () -> topicCompression(codec));
        }
        checks.check("producer-headers", this::headers);
        checks.check("producer-null-key-and-value", this::nulls);
        checks.check("producer-empty-key-and-value", this::empties);
        checks.check("producer-large-record", this::large);
        checks.check("producer-record-too-large-for-topic", this::tooLarge);
        checks.check("producer-order-in-each-partition", this::order);
        checks.check("producer-create-time-is-kept", this::createTime);
        checks.check("producer-log-append-time", this::logAppendTime);
        checks.check("producer-timestamp-out-of-bounds", this::timestampOutOfBounds);
        checks.check("producer-compacted-topic-wants-keys", this::compactedWantsKeys);
        checks.check("producer-partitions-for", this::partitionsFor);
        checks.check("producer-auto-creates-topic", this::autoCreate);
        checks.check("producer-unknown-partition", this::unknownPartition);
        checks.check("producer-invalid-topic-name", this::invalidTopic);
    }

    private void idempotentByDefault() throws Exception {
        String topic = fixture.topic("idempotent", 1);
        fixture.fill(topic, 0, 1000);
        var records = fixture.read(topic, 0, 1000);
        for (int i = 0; i < 1000; i++) {
            equal((long) i, records.get(i).offset(), "offset");
            equal("v" + i, text(records.get(i).value()), "value at " + i);
        }
        var state = fixture.admin.listOffsets(Map.of(new org.apache.kafka.common.TopicPartition(topic, 0), org.apache.kafka.clients.admin.OffsetSpec.latest())).all().get();
        equal(1000L, state.values().iterator().next().offset(), "log end");
    }

    private void acks(String acks) throws Exception {
        String topic = fixture.topic("acks-" + acks, 2);
        try (var producer = fixture.producer("acks", acks, "enable.idempotence", acks.equals("all"))) {
            for (int i = 0; i < 200; i++) {
                var metadata = producer.send(new ProducerRecord<>(topic, i % 2, null, bytes("v" + i)));
                if (i == 199) {
                    equal(!acks.equals("0"), metadata.get().hasOffset(), "the answer carries an offset");
                }
            }
            producer.flush();
        }
        for (int partition = 0; partition < 2; partition++) {
            var records = fixture.read(topic, partition, 100);
            equal("v" + (198 + partition), text(records.get(99).value()), "the last value");
        }
    }

    private void compression(String codec) throws Exception {
        String topic = fixture.topic("compression-" + codec, 1);
        produceCompressible(topic, "compression.type", codec);
    }

    /** The topic's own codec wins over the producer's, so the broker compresses again. */
    private void topicCompression(String codec) throws Exception {
        String name = codec.equals("none") ? "uncompressed" : codec;
        String topic = fixture.topic("topic-compression-" + codec, 1, Map.of("compression.type", name));
        produceCompressible(topic, "compression.type", codec.equals("gzip") ? "lz4" : "gzip");
    }

    private void produceCompressible(String topic, Object... settings) throws Exception {
        List<Object> all = new ArrayList<>(Arrays.asList(settings));
        all.addAll(List.of("linger.ms", 20, "batch.size", 65536));
        try (var producer = fixture.producer(all.toArray())) {
            for (int i = 0; i < 500; i++) {
                producer.send(new ProducerRecord<>(topic, 0, bytes("key-" + i), bytes("value ".repeat(i % 50) + i)));
            }
            producer.flush();
        }
        var records = fixture.read(topic, 0, 500);
        for (int i = 0; i < 500; i++) {
            equal((long) i, records.get(i).offset(), "offset");
            equal("key-" + i, text(records.get(i).key()), "key");
            equal("value ".repeat(i % 50) + i, text(records.get(i).value()), "value");
        }
    }

    private ConsumerRecord<byte[], byte[]> roundTrip(String name, ProducerRecord<byte[], byte[]> record) throws Exception {
        try (var producer = fixture.producer()) {
            RecordMetadata metadata = producer.send(record).get();
            var read = fixture.read(record.topic(), metadata.partition(), 1).get(0);
            equal(metadata.offset(), read.offset(), "offset of " + name);
            return read;
        }
    }

    private void headers() throws Exception {
        String topic = fixture.topic("headers", 1);
        var record = new ProducerRecord<byte[], byte[]>(topic, 0, bytes("k"), bytes("v"));
        record.headers().add("a", bytes("1")).add("a", bytes("2")).add("null", null).add("empty", new byte[0]).add("ünïcode", bytes("ß"));
        var headers = roundTrip("headers", record).headers().toArray();
        equal(5, headers.length, "headers");
        equal(new RecordHeader("a", bytes("1")), headers[0], "the first");
        equal(new RecordHeader("a", bytes("2")), headers[1], "a second one with the same key");
        equal(null, headers[2].value(), "a null value");
        equal(0, headers[3].value().length, "an empty value");
        equal("ünïcode", headers[4].key(), "a key beyond ASCII");
    }

    private void nulls() throws Exception {
        var read = roundTrip("nulls", new ProducerRecord<>(fixture.topic("nulls", 1), 0, null, null));
        equal(null, read.key(), "key");
        equal(null, read.value(), "value");
    }

    private void empties() throws Exception {
        var read = roundTrip("empties", new ProducerRecord<>(fixture.topic("empties", 1), 0, new byte[0], new byte[0]));
        equal(0, read.key().length, "key");
        equal(0, read.value().length, "value");
    }

    /** A little below 1 MiB passes with defaults; 4 MiB where the topic and both clients allow it. */
    private void large() throws Exception {
        byte[] nearly = noise(1_000_000);
        String small = fixture.topic("large", 1);
        that(Arrays.equals(nearly, roundTrip("large", new ProducerRecord<>(small, 0, null, nearly)).value()), "1 MB comes back");
        String topic = fixture.topic("larger", 1, Map.of("max.message.bytes", "6000000"));
        byte[] larger = noise(4 << 20);
        try (var producer = fixture.producer("max.request.size", 6_000_000, "buffer.memory", 32_000_000L)) {
            producer.send(new ProducerRecord<>(topic, 0, null, larger)).get();
        }
        that(Arrays.equals(larger, fixture.read(topic, 0, 1).get(0).value()), "4 MiB come back");
    }

    private void tooLarge() throws Exception {
        String topic = fixture.topic("too-large", 1, Map.of("max.message.bytes", "2000"));
        try (var producer = fixture.producer()) {
            fails(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, 0, null, noise(4000))).get());
            producer.send(new ProducerRecord<>(topic, 0, null, noise(1000))).get();
        }
        equal(1, fixture.read(topic, 0, 1).size(), "the small one is there");
    }

    private void order() throws Exception {
        String topic = fixture.topic("order", 4);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = fixture.producer("linger.ms", 0, "batch.size", 512, "max.in.flight.requests.per.connection", 5)) {
            for (int i = 0; i < 1200; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, i % 4, null, bytes(Integer.toString(i)))));
            }
            for (int i = 0; i < 1200; i++) {
                equal((long) (i / 4), sent.get(i).get().offset(), "offset of record " + i);
            }
        }
        for (int partition = 0; partition < 4; partition++) {
            var records = fixture.read(topic, partition, 300);
            for (int i = 0; i < 300; i++) {
                equal(Integer.toString(i * 4 + partition), text(records.get(i).value()), "value in partition " + partition);
            }
        }
    }

    private void createTime() throws Exception {
        long at = System.currentTimeMillis() - 3_600_000;
        var read = roundTrip("create time", new ProducerRecord<>(fixture.topic("create-time", 1), 0, at, null, bytes("v")));
        equal(at, read.timestamp(), "timestamp");
        equal(TimestampType.CREATE_TIME, read.timestampType(), "type");
        that(read.leaderEpoch().isPresent(), "the record carries a leader epoch");
    }

    private void logAppendTime() throws Exception {
        String topic = fixture.topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        try (var producer = fixture.producer()) {
            var metadata = producer.send(new ProducerRecord<>(topic, 0, 1000L, null, bytes("v"))).get();
            that(metadata.timestamp() >= before, "the answer carries the broker's time");
            var read = fixture.read(topic, 0, 1).get(0);
            equal(metadata.timestamp(), read.timestamp(), "timestamp");
            equal(TimestampType.LOG_APPEND_TIME, read.timestampType(), "type");
        }
    }

    /** KIP-937: too far from the broker's clock. */
    private void timestampOutOfBounds() throws Exception {
        String topic = fixture.topic("bounded-time", 1, Map.of("message.timestamp.before.max.ms", "60000", "message.timestamp.after.max.ms", "60000"));
        long now = System.currentTimeMillis();
        try (var producer = fixture.producer()) {
            fails(InvalidTimestampException.class, () -> producer.send(new ProducerRecord<>(topic, 0, now - 600_000, null, bytes("v"))).get());
            fails(InvalidTimestampException.class, () -> producer.send(new ProducerRecord<>(topic, 0, now + 600_000, null, bytes("v"))).get());
            equal(0L, producer.send(new ProducerRecord<>(topic, 0, now, null, bytes("v"))).get().offset(), "offset of the good one");
        }
    }

    private void compactedWantsKeys() throws Exception {
        String topic = fixture.topic("compacted", 1, Map.of("cleanup.policy", "compact"));
        try (var producer = fixture.producer()) {
            fails(org.apache.kafka.common.InvalidRecordException.class, () -> producer.send(new ProducerRecord<>(topic, 0, null, bytes("v"))).get());
            producer.send(new ProducerRecord<>(topic, 0, bytes("k"), bytes("v"))).get();
        }
    }

    private void partitionsFor() throws Exception {
        String topic = fixture.topic("partitions-for", 3);
        try (var producer = fixture.producer()) {
            equal(3, producer.partitionsFor(topic).size(), "partitions");
        }
    }

    private void autoCreate() throws Exception {
        String topic = fixture.name("auto-created");
        try (var producer = fixture.producer()) {
            equal(0L, producer.send(new ProducerRecord<>(topic, null, bytes("v"))).get().offset(), "offset");
        }
        equal(1, fixture.read(topic, 0, 1).size(), "records");
    }

    private void unknownPartition() throws Exception {
        String topic = fixture.topic("one-partition", 1);
        try (var producer = fixture.producer("max.block.ms", 500)) {
            fails(TimeoutException.class, () -> producer.send(new ProducerRecord<>(topic, 7, null, bytes("v"))).get());
        }
    }

    private void invalidTopic() throws Exception {
        try (var producer = fixture.producer()) {
            fails(InvalidTopicException.class, () -> producer.send(new ProducerRecord<>("not a topic!", null, bytes("v"))).get());
        }
    }

    /** Bytes that no codec makes smaller, the same in every run. */
    static byte[] noise(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }
}
