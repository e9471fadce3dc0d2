package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.bytes;
import static thalweg.clients.Fixture.text;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.InvalidUpdateVersionException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/** Transactions as producers, read_committed consumers and the Admin see them. */
final class TransactionChecks {
    private final Fixture fixture;
    private final Checks checks;

    TransactionChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("transaction-features", this::features);
        checks.check("transaction-commit", this::commit);
        checks.check("transaction-abort", this::abort);
        checks.check("transaction-many-in-a-row", this::manyInARow);
        checks.check("transaction-offsets", this::offsets);
        checks.check("transaction-new-producer-fences-the-old", this::fencing);
        checks.check("transaction-new-producer-aborts-what-is-ongoing", this::takeover);
        checks.check("transaction-timeout", this::timeout);
        checks.check("transaction-describe-and-list", this::describeAndList);
        checks.check("transaction-fence-by-admin", this::fenceByAdmin);
        checks.check("transaction-terminate-by-admin", this::terminateByAdmin);
        checks.check("transaction-abort-in-partition-by-admin", this::abortInPartition);
        checks.check("transaction-unknown-id", this::unknownId);
    }

    private KafkaProducer<byte[], byte[]> producer(String id, Object... settings) {
        List<Object> all = new ArrayList<>(List.of("transactional.id", fixture.name(id), "transaction.timeout.ms", 60_000));
        all.addAll(List.of(settings));
        return fixture.producer(all.toArray());
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int partition, String value) {
        producer.send(new ProducerRecord<>(topic, partition, null, bytes(value)));
    }

    /** All values that a read_committed consumer sees; there must be `count` of them. */
    private List<String> committed(String topic, int partition, int count) {
        try (var consumer = fixture.consumer("isolation.level", "read_committed")) {
            TopicPartition at = new TopicPartition(topic, partition);
            consumer.assign(List.of(at));
            consumer.seekToBeginning(List.of(at));
            List<String> values = new ArrayList<>();
            for (var record : Fixture.poll(consumer, count)) {
                values.add(text(record.value()));
            }
            return values;
        }
    }

    private TransactionDescription describe(String id) throws Exception {
        return fixture.admin.describeTransactions(List.of(fixture.name(id))).description(fixture.name(id)).get();
    }

    /** Markers are written after the answer: until then the transaction is being prepared. */
    private TransactionDescription await(String id, TransactionState state) throws Exception {
        long deadline = System.nanoTime() + Fixture.PATIENCE.toNanos();
        while (true) {
            var description = describe(id);
            if (description.state() == state) {
                return description;
            }
            that(System.nanoTime() < deadline, id + " never was " + state + ": " + description);
            Thread.sleep(20);
        }
    }

    private void features() throws Exception {
        var metadata = fixture.admin.describeFeatures().featureMetadata().get();
        equal((short) 2, metadata.finalizedFeatures().get("transaction.version").maxVersionLevel(), "transaction.version");
        that(metadata.finalizedFeaturesEpoch().isPresent(), "there is an epoch of the features");
        var validate = new UpdateFeaturesOptions().validateOnly(true);
        var down = Map.of("transaction.version", new FeatureUpdate((short) 0, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE));
        fixture.admin.updateFeatures(down, validate).all().get();
        var unknown = Map.of("transaction.version", new FeatureUpdate((short) 9, FeatureUpdate.UpgradeType.UPGRADE));
        fails(InvalidUpdateVersionException.class, () -> fixture.admin.updateFeatures(unknown, validate).all().get());
    }

    private void commit() throws Exception {
        String topic = fixture.topic("txn-commit", 2);
        String other = fixture.topic("txn-commit-other", 1);
        try (var producer = producer("commit")) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            send(producer, topic, 1, "b");
            send(producer, other, 0, "c");
            producer.commitTransaction();
        }
        equal(List.of("a"), committed(topic, 0, 1), "partition 0");
        equal(List.of("b"), committed(topic, 1, 1), "partition 1");
        equal(List.of("c"), committed(other, 0, 1), "the other topic");
    }

    private void abort() throws Exception {
        String topic = fixture.topic("txn-abort", 1);
        try (var producer = producer("abort")) {
            producer.initTransactions();
            for (String value : List.of("lost", "kept", "lost too")) {
                producer.beginTransaction();
                send(producer, topic, 0, value);
                producer.flush();
                if (value.equals("kept")) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
            // Without a record, and with one behind it.
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "last");
            producer.commitTransaction();
        }
        equal(List.of("kept", "last"), committed(topic, 0, 2), "committed values");
    }

    private void manyInARow() throws Exception {
        String topic = fixture.topic("txn-many", 3);
        try (var producer = producer("many")) {
            producer.initTransactions();
            for (int i = 0; i < 60; i++) {
                producer.beginTransaction();
                send(producer, topic, i % 3, "v" + i);
                producer.commitTransaction();
            }
        }
        for (int partition = 0; partition < 3; partition++) {
            List<String> expected = new ArrayList<>();
            for (int i = partition; i < 60; i += 3) {
                expected.add("v" + i);
            }
            equal(expected, committed(topic, partition, 20), "partition " + partition);
        }
        that(await("many", TransactionState.COMPLETE_COMMIT).producerEpoch() >= 60, "an epoch for each transaction");
    }

    private void offsets() throws Exception {
        String topic = fixture.topic("txn-offsets", 1);
        String group = fixture.name("txn-offsets");
        TopicPartition at = new TopicPartition(topic, 0);
        try (var producer = producer("offsets")) {
            producer.initTransactions();
            for (long offset : List.of(5L, 7L)) {
                producer.beginTransaction();
                send(producer, topic, 0, "v" + offset);
                producer.sendOffsetsToTransaction(Map.of(at, new OffsetAndMetadata(offset)), new ConsumerGroupMetadata(group));
                if (offset == 5) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        await("offsets", TransactionState.COMPLETE_ABORT);
        var found = fixture.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal(5L, found.get(at).offset(), "the committed offset");
    }

    private void fencing() throws Exception {
        String topic = fixture.topic("txn-fencing", 1);
        try (var old = producer("fencing"); var fresh = producer("fencing")) {
            old.initTransactions();
            fresh.initTransactions();
            old.beginTransaction();
            send(old, topic, 0, "fenced");
            fails(KafkaException.class, old::commitTransaction);
            fresh.beginTransaction();
            send(fresh, topic, 0, "fresh");
            fresh.commitTransaction();
        }
        equal(List.of("fresh"), committed(topic, 0, 1), "committed values");
    }

    private void takeover() throws Exception {
        String topic = fixture.topic("txn-takeover", 1);
        try (var old = producer("takeover"); var fresh = producer("takeover")) {
            old.initTransactions();
            old.beginTransaction();
            send(old, topic, 0, "abandoned");
            old.flush();
            equal(TransactionState.ONGOING, describe("takeover").state(), "before");
            fresh.initTransactions();
            equal(TransactionState.EMPTY, describe("takeover").state(), "after");
            fresh.beginTransaction();
            send(fresh, topic, 0, "fresh");
            fresh.commitTransaction();
            fails(KafkaException.class, old::commitTransaction);
        }
        equal(List.of("fresh"), committed(topic, 0, 1), "committed values");
    }

    private void timeout() throws Exception {
        String topic = fixture.topic("txn-timeout", 1);
        try (var slow = producer("timeout", "transaction.timeout.ms", 1_000)) {
            slow.initTransactions();
            slow.beginTransaction();
            send(slow, topic, 0, "too late");
            slow.flush();
            await("timeout", TransactionState.COMPLETE_ABORT);
            fails(KafkaException.class, slow::commitTransaction);
        }
        fixture.fill(topic, 0, 1);
        equal(List.of("v0"), committed(topic, 0, 1), "committed values");
    }

    private Set<String> list(ListTransactionsOptions options) throws Exception {
        Collection<TransactionListing> all = fixture.admin.listTransactions(options).all().get();
        Set<String> ids = new java.util.TreeSet<>();
        for (var listing : all) {
            if (listing.transactionalId().startsWith(fixture.name("listed"))) {
                ids.add(listing.transactionalId().substring(fixture.prefix.length()));
            }
        }
        return ids;
    }

    private void describeAndList() throws Exception {
        String topic = fixture.topic("txn-listed", 3);
        try (var idle = producer("listed-idle"); var busy = producer("listed-busy", "transaction.timeout.ms", 45_000)) {
            idle.initTransactions();
            busy.initTransactions();
            busy.beginTransaction();
            send(busy, topic, 2, "a");
            send(busy, topic, 0, "b");
            busy.flush();
            var described = describe("listed-busy");
            equal(TransactionState.ONGOING, described.state(), "state");
            equal(45_000L, described.transactionTimeoutMs(), "timeout");
            equal(Set.of(new TopicPartition(topic, 0), new TopicPartition(topic, 2)), described.topicPartitions(), "partitions");
            that(described.transactionStartTimeMs().isPresent(), "it has begun");
            equal(Set.of("listed-busy", "listed-idle"), list(new ListTransactionsOptions()), "all");
            equal(Set.of("listed-busy"), list(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))), "ongoing");
            equal(Set.of("listed-busy"), list(new ListTransactionsOptions().filterProducerIds(List.of(described.producerId()))), "by producer");
            String pattern = java.util.regex.Pattern.quote(fixture.prefix).replace("\\Q", "").replace("\\E", "") + "listed-i.*";
            equal(Set.of("listed-idle"), list(new ListTransactionsOptions().filterOnTransactionalIdPattern(pattern)), "by pattern");
            equal(Set.of(), list(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING)).filterOnDuration(600_000)), "by duration");
            fails(InvalidRegularExpression.class, () -> list(new ListTransactionsOptions().filterOnTransactionalIdPattern("(")));
            var state = fixture.admin.describeProducers(List.of(new TopicPartition(topic, 2))).all().get();
            var producers = state.get(new TopicPartition(topic, 2)).activeProducers();
            equal(described.producerId(), producers.get(0).producerId(), "the partition's producer");
            equal(0L, producers.get(0).currentTransactionStartOffset().getAsLong(), "where its transaction begins");
            busy.abortTransaction();
        }
        await("listed-busy", TransactionState.COMPLETE_ABORT);
    }

    private void fenceByAdmin() throws Exception {
        String topic = fixture.topic("txn-fenced", 1);
        try (var producer = producer("fenced")) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, topic, 0, "lost");
            producer.flush();
            fixture.admin.fenceProducers(List.of(fixture.name("fenced"))).all().get();
            fails(KafkaException.class, producer::commitTransaction);
        }
        fixture.fill(topic, 0, 1);
        equal(List.of("v0"), committed(topic, 0, 1), "committed values");
    }

    private void terminateByAdmin() throws Exception {
        String topic = fixture.topic("txn-terminated", 1);
        try (var producer = producer("terminated")) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, topic, 0, "lost");
            producer.flush();
            fixture.admin.forceTerminateTransaction(fixture.name("terminated")).result().get();
            fails(KafkaException.class, producer::commitTransaction);
        }
        fixture.fill(topic, 0, 1);
        equal(List.of("v0"), committed(topic, 0, 1), "committed values");
    }

    /** What kafka-transactions.sh does with a hanging transaction. */
    private void abortInPartition() throws Exception {
        String topic = fixture.topic("txn-marked", 1);
        TopicPartition at = new TopicPartition(topic, 0);
        try (var producer = producer("marked")) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, topic, 0, "lost");
            producer.flush();
            var state = fixture.admin.describeProducers(List.of(at)).all().get().get(at).activeProducers().get(0);
            int coordinatorEpoch = Math.max(0, state.coordinatorEpoch().orElse(0));
            fixture.admin.abortTransaction(new AbortTransactionSpec(at, state.producerId(), (short) state.producerEpoch(), coordinatorEpoch)).all().get();
            fixture.fill(topic, 0, 1);
            equal(List.of("v0"), committed(topic, 0, 1), "committed values");
            producer.abortTransaction();
        }
    }

    private void unknownId() throws Exception {
        fails(TransactionalIdNotFoundException.class, () -> describe("nobody"));
        // Asking does not make it.
        fails(TransactionalIdNotFoundException.class, () -> describe("nobody"));
    }
}
