package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.bytes;
import static thalweg.clients.Fixture.poll;
import static thalweg.clients.Fixture.text;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** KafkaConsumer without a group. */
final class ConsumerChecks {
    private final Fixture fixture;
    private final Checks checks;
    private String topic;
    private TopicPartition first;
    private TopicPartition second;

    ConsumerChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("consumer-fixture", this::prepare);
        checks.check("consumer-assign-and-read-all", this::assign);
        checks.check("consumer-seek", this::seek);
        checks.check("consumer-seek-to-end-then-new-records", this::seekToEnd);
        checks.check("consumer-position", this::position);
        checks.check("consumer-beginning-and-end-offsets", this::beginningAndEnd);
        checks.check("consumer-offsets-for-times", this::offsetsForTimes);
        checks.check("consumer-pause-and-resume", this::pauseAndResume);
        checks.check("consumer-read-committed", this::readCommitted);
        checks.check("consumer-max-poll-records", this::maxPollRecords);
        checks.check("consumer-small-fetches", this::smallFetches);
        checks.check("consumer-fetch-min-bytes-waits", this::minBytes);
        checks.check("consumer-long-poll-wakes-up", this::longPoll);
        checks.check("consumer-offset-out-of-range-none", this::outOfRange);
        checks.check("consumer-offset-out-of-range-earliest", this::outOfRangeEarliest);
        checks.check("consumer-list-topics", this::listTopics);
        checks.check("consumer-current-lag", this::lag);
        checks.check("consumer-many-partitions-in-one-fetch", this::manyPartitions);
    }

    private void prepare() throws Exception {
        topic = fixture.topic("consumer", 2);
        first = new TopicPartition(topic, 0);
        second = new TopicPartition(topic, 1);
        fixture.fill(topic, 0, 100);
        fixture.fill(topic, 1, 50);
    }

    private void assign() {
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(first, second));
            var records = poll(consumer, 150);
            equal(100L, records.stream().filter(r -> r.partition() == 0).count(), "records of partition 0");
            long next = 0;
            for (var record : records) {
                if (record.partition() == 0) {
                    equal(next++, record.offset(), "offset");
                }
            }
        }
    }

    private void seek() {
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(first));
            consumer.seek(first, 90);
            var records = poll(consumer, 10);
            equal("v90", text(records.get(0).value()), "the first after a seek");
            consumer.seek(first, 5);
            equal("v5", text(consumer.poll(Duration.ofSeconds(10)).iterator().next().value()), "after seeking back");
        }
    }

    private void seekToEnd() throws Exception {
        String topic = fixture.topic("seek-to-end", 1);
        fixture.fill(topic, 0, 10);
        TopicPartition at = new TopicPartition(topic, 0);
        try (var consumer = fixture.consumer(); var producer = fixture.producer()) {
            consumer.assign(List.of(at));
            consumer.seekToEnd(List.of(at));
            equal(10L, consumer.position(at), "position at the end");
            that(consumer.poll(Duration.ofMillis(100)).isEmpty(), "nothing is there yet");
            producer.send(new ProducerRecord<>(topic, 0, null, bytes("new"))).get();
            equal("new", text(poll(consumer, 1).get(0).value()), "value");
        }
    }

    private void position() {
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(second));
            poll(consumer, 50);
            equal(50L, consumer.position(second), "position");
        }
    }

    private void beginningAndEnd() {
        try (var consumer = fixture.consumer()) {
            equal(Map.of(first, 0L, second, 0L), consumer.beginningOffsets(List.of(first, second)), "beginnings");
            equal(Map.of(first, 100L, second, 50L), consumer.endOffsets(List.of(first, second)), "ends");
        }
    }

    private void offsetsForTimes() throws Exception {
        String topic = fixture.topic("times", 1);
        TopicPartition at = new TopicPartition(topic, 0);
        long base = System.currentTimeMillis() - 100_000;
        try (var producer = fixture.producer("linger.ms", 0, "batch.size", 0); var consumer = fixture.consumer()) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(topic, 0, base + i * 1000L, null, bytes("v" + i))).get();
            }
            var exact = consumer.offsetsForTimes(Map.of(at, base + 4000)).get(at);
            equal(4L, exact.offset(), "offset at exactly that time");
            equal(base + 4000, exact.timestamp(), "its timestamp");
            equal(5L, consumer.offsetsForTimes(Map.of(at, base + 4001)).get(at).offset(), "the next after a time between");
            equal(0L, consumer.offsetsForTimes(Map.of(at, 0L)).get(at).offset(), "before all");
            equal(null, consumer.offsetsForTimes(Map.of(at, base + 1_000_000)).get(at), "after all");
        }
        // Several records in one batch: the answer is a record, not the batch's start.
        String batched = fixture.topic("times-batched", 1);
        TopicPartition there = new TopicPartition(batched, 0);
        try (var producer = fixture.producer("linger.ms", 50, "compression.type", "lz4"); var consumer = fixture.consumer()) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(batched, 0, base + i * 1000L, null, bytes("v" + i)));
            }
            producer.flush();
            equal(7L, consumer.offsetsForTimes(Map.of(there, base + 7000)).get(there).offset(), "offset inside a batch");
        }
    }

    private void pauseAndResume() {
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(first, second));
            consumer.pause(List.of(first));
            that(poll(consumer, 50).stream().allMatch(r -> r.partition() == 1), "only the other partition is read");
            that(consumer.poll(Duration.ofMillis(100)).isEmpty(), "a paused partition stays silent");
            consumer.resume(List.of(first));
            equal(0, poll(consumer, 100).get(0).partition(), "partition after resuming");
        }
    }

    private void readCommitted() {
        try (var consumer = fixture.consumer("isolation.level", "read_committed")) {
            consumer.assign(List.of(first, second));
            poll(consumer, 150);
            equal(100L, consumer.endOffsets(List.of(first)).get(first), "last stable offset");
        }
    }

    private void maxPollRecords() {
        try (var consumer = fixture.consumer("max.poll.records", 7)) {
            consumer.assign(List.of(first));
            that(consumer.poll(Duration.ofSeconds(10)).count() <= 7, "at most seven at once");
            poll(consumer, 93);
        }
    }

    /** Limits below one batch must still make progress (KIP-74). */
    private void smallFetches() {
        try (var consumer = fixture.consumer("max.partition.fetch.bytes", 1, "fetch.max.bytes", 1)) {
            consumer.assign(List.of(first, second));
            poll(consumer, 150);
        }
    }

    private void minBytes() {
        try (var consumer = fixture.consumer("fetch.min.bytes", 10_000_000, "fetch.max.wait.ms", 400)) {
            consumer.assign(List.of(first));
            consumer.seek(first, 0);
            long start = System.nanoTime();
            poll(consumer, 100);
            that(System.nanoTime() - start > 300_000_000L, "the fetch waits for more bytes until its time is over");
        }
    }

    private void longPoll() throws Exception {
        String topic = fixture.topic("long-poll", 1);
        TopicPartition at = new TopicPartition(topic, 0);
        try (var consumer = fixture.consumer("fetch.max.wait.ms", 8000); var producer = fixture.producer("linger.ms", 0)) {
            consumer.assign(List.of(at));
            consumer.poll(Duration.ofMillis(200));
            producer.send(new ProducerRecord<>(topic, 0, null, bytes("v"))).get();
            long start = System.nanoTime();
            poll(consumer, 1);
            that(System.nanoTime() - start < 4_000_000_000L, "a waiting fetch is answered when a record comes");
        }
    }

    private void outOfRange() {
        try (var consumer = fixture.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(first));
            consumer.seek(first, 5000);
            fails(OffsetOutOfRangeException.class, () -> {
                for (int i = 0; i < 50; i++) {
                    consumer.poll(Duration.ofMillis(200));
                }
            });
        }
    }

    private void outOfRangeEarliest() {
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(first));
            consumer.seek(first, 5000);
            equal(0L, poll(consumer, 100).get(0).offset(), "offset after the reset");
        }
    }

    private void listTopics() {
        try (var consumer = fixture.consumer()) {
            equal(2, consumer.listTopics().get(topic).size(), "partitions");
            equal(1, consumer.partitionsFor(topic).get(0).replicas().length, "replicas");
        }
    }

    private void lag() {
        try (var consumer = fixture.consumer("max.poll.records", 10)) {
            consumer.assign(List.of(first));
            poll(consumer, 10);
            equal(90L, consumer.currentLag(first).orElse(-1), "lag");
        }
    }

    private void manyPartitions() throws Exception {
        String topic = fixture.topic("many", 40);
        try (var producer = fixture.producer()) {
            for (int i = 0; i < 400; i++) {
                producer.send(new ProducerRecord<>(topic, i % 40, null, bytes("v" + i)));
            }
            producer.flush();
        }
        try (var consumer = fixture.consumer()) {
            consumer.assign(java.util.stream.IntStream.range(0, 40).mapToObj(p -> new TopicPartition(topic, p)).toList());
            equal(400L, poll(consumer, 400).stream().map(r -> text(r.value())).distinct().count(), "different values");
        }
    }
}
