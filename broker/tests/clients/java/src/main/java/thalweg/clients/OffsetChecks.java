package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.bytes;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** AdminClient: offsets by every special timestamp, and deleting records. */
final class OffsetChecks {
    private final Fixture fixture;
    private final Checks checks;

    OffsetChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("offsets-empty-partition", this::empty);
        checks.check("offsets-all-specs", this::allSpecs);
        checks.check("offsets-max-timestamp-is-not-the-last", this::maxTimestamp);
        checks.check("offsets-read-committed", this::readCommitted);
        checks.check("offsets-unknown-partition", this::unknownPartition);
        checks.check("delete-records", this::deleteRecords);
        checks.check("delete-records-to-the-end", this::deleteToEnd);
        checks.check("delete-records-out-of-range", this::deleteOutOfRange);
        checks.check("delete-records-consumer-starts-behind", this::consumerStartsBehind);
    }

    private ListOffsetsResultInfo offset(TopicPartition at, OffsetSpec spec) throws Exception {
        return fixture.admin.listOffsets(Map.of(at, spec)).partitionResult(at).get();
    }

    private void empty() throws Exception {
        TopicPartition at = new TopicPartition(fixture.topic("offsets-empty", 1), 0);
        equal(0L, offset(at, OffsetSpec.earliest()).offset(), "earliest");
        equal(0L, offset(at, OffsetSpec.latest()).offset(), "latest");
        equal(-1L, offset(at, OffsetSpec.maxTimestamp()).offset(), "max timestamp");
        equal(-1L, offset(at, OffsetSpec.forTimestamp(0)).offset(), "for a timestamp");
    }

    /** Ten records a second apart, the newest of them the fourth. */
    private TopicPartition filled(String name, long base) throws Exception {
        String topic = fixture.topic(name, 1);
        try (var producer = fixture.producer("linger.ms", 0, "batch.size", 0)) {
            for (int i = 0; i < 10; i++) {
                long at = i == 3 ? base + 50_000 : base + i * 1000L;
                producer.send(new ProducerRecord<>(topic, 0, at, null, bytes("v" + i))).get();
            }
        }
        return new TopicPartition(topic, 0);
    }

    private void allSpecs() throws Exception {
        long base = System.currentTimeMillis() - 1_000_000;
        TopicPartition at = filled("offsets-specs", base);
        equal(0L, offset(at, OffsetSpec.earliest()).offset(), "earliest");
        equal(10L, offset(at, OffsetSpec.latest()).offset(), "latest");
        equal(0L, offset(at, OffsetSpec.earliestLocal()).offset(), "earliest local, without tiers the same as earliest");
        equal(-1L, offset(at, OffsetSpec.latestTiered()).offset(), "latest tiered, without tiers none");
        equal(2L, offset(at, OffsetSpec.forTimestamp(base + 1500)).offset(), "for a timestamp between two");
        equal(-1L, offset(at, OffsetSpec.forTimestamp(base + 60_000)).offset(), "for a timestamp after all");
        equal(-1L, offset(at, OffsetSpec.latest()).timestamp(), "latest has no timestamp");
        that(offset(at, OffsetSpec.latest()).leaderEpoch().isPresent(), "there is a leader epoch");
    }

    private void maxTimestamp() throws Exception {
        long base = System.currentTimeMillis() - 1_000_000;
        var found = offset(filled("offsets-max", base), OffsetSpec.maxTimestamp());
        equal(3L, found.offset(), "offset");
        equal(base + 50_000, found.timestamp(), "timestamp");
        // Inside one batch, too.
        String topic = fixture.topic("offsets-max-batched", 1);
        try (var producer = fixture.producer("linger.ms", 50)) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(topic, 0, i == 6 ? base + 50_000 : base + i, null, bytes("v" + i)));
            }
        }
        equal(6L, offset(new TopicPartition(topic, 0), OffsetSpec.maxTimestamp()).offset(), "offset inside a batch");
    }

    private void readCommitted() throws Exception {
        TopicPartition at = filled("offsets-committed", System.currentTimeMillis() - 1_000_000);
        var options = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
        equal(10L, fixture.admin.listOffsets(Map.of(at, OffsetSpec.latest()), options).partitionResult(at).get().offset(), "last stable offset");
    }

    private void unknownPartition() throws Exception {
        String topic = fixture.topic("offsets-one", 1);
        var options = new ListOffsetsOptions().timeoutMs(1500);
        var thrown = fails(org.apache.kafka.common.KafkaException.class, () -> fixture.admin.listOffsets(Map.of(new TopicPartition(topic, 9), OffsetSpec.latest()), options).all().get());
        // Kafka's client asks again until its time is over, because the partition might be about to appear.
        that(thrown instanceof org.apache.kafka.common.errors.TimeoutException || thrown instanceof UnknownTopicOrPartitionException, "the error: " + thrown);
    }

    private void deleteRecords() throws Exception {
        TopicPartition at = filled("delete-records", System.currentTimeMillis());
        var deleted = fixture.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(at).get();
        equal(4L, deleted.lowWatermark(), "low watermark");
        equal(4L, offset(at, OffsetSpec.earliest()).offset(), "earliest");
        equal(4L, offset(at, OffsetSpec.earliestLocal()).offset(), "earliest local");
        // Deleting what is gone already changes nothing.
        var again = fixture.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(at).get();
        equal(4L, again.lowWatermark(), "low watermark after deleting less");
    }

    private void deleteToEnd() throws Exception {
        TopicPartition at = filled("delete-all", System.currentTimeMillis());
        equal(10L, fixture.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(at).get().lowWatermark(), "-1 is the high watermark");
        fixture.fill(at.topic(), 0, 1);
        equal(11L, offset(at, OffsetSpec.latest()).offset(), "offsets go on");
    }

    private void deleteOutOfRange() throws Exception {
        TopicPartition at = filled("delete-beyond", System.currentTimeMillis());
        fails(OffsetOutOfRangeException.class, () -> fixture.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(11))).all().get());
    }

    private void consumerStartsBehind() throws Exception {
        TopicPartition at = filled("delete-read", System.currentTimeMillis());
        fixture.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(7))).all().get();
        try (var consumer = fixture.consumer()) {
            consumer.assign(List.of(at));
            consumer.seek(at, 0);
            equal(7L, Fixture.poll(consumer, 3).get(0).offset(), "the first offset that is left");
            equal(Optional.of(7L), Optional.of(consumer.beginningOffsets(List.of(at)).get(at)), "beginning");
        }
    }
}
