package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.poll;
import static thalweg.clients.Fixture.text;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** KafkaConsumer in a classic group of one member. */
final class GroupChecks {
    private final Fixture fixture;
    private final Checks checks;
    private String topic;
    private TopicPartition first;

    GroupChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("group-fixture", this::prepare);
        checks.check("group-subscribe-one-member", this::subscribe);
        checks.check("group-subscribe-pattern", this::pattern);
        checks.check("group-commit-sync-and-continue", this::commitAndContinue);
        checks.check("group-commit-async", this::commitAsync);
        checks.check("group-commit-with-metadata", this::commitMetadata);
        checks.check("group-auto-commit", this::autoCommit);
        checks.check("group-nothing-committed", this::nothingCommitted);
        checks.check("group-no-offset-and-reset-none", this::resetNone);
        checks.check("group-commit-of-assigned-partitions", this::commitAssigned);
        checks.check("group-rejoin-after-leaving", this::rejoin);
        checks.check("group-unsubscribe-revokes", this::unsubscribe);
        checks.check("group-cooperative-assignor", this::cooperative);
        checks.check("group-metadata-generation", this::generation);
    }

    private void prepare() throws Exception {
        topic = fixture.topic("group", 3);
        first = new TopicPartition(topic, 0);
        for (int partition = 0; partition < 3; partition++) {
            fixture.fill(topic, partition, 20);
        }
    }

    private void subscribe() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-subscribe"))) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 60);
            equal(3, consumer.assignment().size(), "partitions assigned to the only member");
        }
    }

    private void pattern() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-pattern"))) {
            consumer.subscribe(Pattern.compile(Pattern.quote(fixture.name("gro")) + ".p"));
            poll(consumer, 60);
            equal(Set.of(topic), consumer.subscription(), "topics that match");
        }
    }

    private void commitAndContinue() {
        String group = fixture.name("g-continue");
        try (var consumer = fixture.consumer("group.id", group, "max.poll.records", 10)) {
            consumer.assign(List.of(first));
            poll(consumer, 10);
            consumer.commitSync();
            equal(10L, consumer.committed(Set.of(first)).get(first).offset(), "committed");
        }
        try (var consumer = fixture.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            var records = poll(consumer, 50);
            long next = records.stream().filter(r -> r.partition() == 0).findFirst().orElseThrow().offset();
            equal(10L, next, "the first offset after the commit");
        }
    }

    private void commitAsync() throws Exception {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-async"))) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 60);
            List<Object> answers = new ArrayList<>();
            consumer.commitAsync((offsets, error) -> answers.add(error == null ? offsets : error));
            for (int i = 0; i < 100 && answers.isEmpty(); i++) {
                consumer.poll(Duration.ofMillis(50));
            }
            equal(1, answers.size(), "callbacks");
            that(answers.get(0) instanceof Map<?, ?> offsets && offsets.size() == 3, "all three are committed: " + answers);
            equal(20L, consumer.committed(Set.of(first)).get(first).offset(), "committed");
        }
    }

    private void commitMetadata() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-metadata"))) {
            consumer.assign(List.of(first));
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(7, Optional.of(0), "a note")));
            var committed = consumer.committed(Set.of(first)).get(first);
            equal(7L, committed.offset(), "offset");
            equal("a note", committed.metadata(), "metadata");
            equal(Optional.of(0), committed.leaderEpoch(), "leader epoch");
        }
    }

    private void autoCommit() {
        String group = fixture.name("g-auto");
        try (var consumer = fixture.consumer("group.id", group, "enable.auto.commit", true, "auto.commit.interval.ms", 100)) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 60);
        }
        try (var consumer = fixture.consumer("group.id", group)) {
            equal(20L, consumer.committed(Set.of(first)).get(first).offset(), "committed when it was closed");
        }
    }

    private void nothingCommitted() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-nothing"))) {
            equal(null, consumer.committed(Set.of(first)).get(first), "committed");
        }
    }

    private void resetNone() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-none"), "auto.offset.reset", "none")) {
            consumer.assign(List.of(first));
            fails(NoOffsetForPartitionException.class, () -> {
                for (int i = 0; i < 50; i++) {
                    consumer.poll(Duration.ofMillis(200));
                }
            });
        }
    }

    private void commitAssigned() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-all"))) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 60);
            consumer.commitSync();
            var committed = consumer.committed(consumer.assignment());
            equal(3, committed.size(), "partitions");
            that(committed.values().stream().allMatch(c -> c.offset() == 20), "all at their ends: " + committed);
        }
    }

    private void rejoin() {
        String group = fixture.name("g-rejoin");
        for (int round = 0; round < 3; round++) {
            try (var consumer = fixture.consumer("group.id", group)) {
                consumer.subscribe(List.of(topic));
                poll(consumer, 60);
            }
        }
    }

    private void unsubscribe() {
        Set<TopicPartition> assigned = new HashSet<>();
        Set<TopicPartition> revoked = new HashSet<>();
        try (var consumer = fixture.consumer("group.id", fixture.name("g-listener"))) {
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    assigned.addAll(partitions);
                }

                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    revoked.addAll(partitions);
                }
            });
            poll(consumer, 60);
            equal(3, assigned.size(), "assigned");
            consumer.unsubscribe();
            equal(assigned, revoked, "revoked");
        }
    }

    private void cooperative() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-cooperative"), "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")) {
            consumer.subscribe(List.of(topic));
            equal("v0", text(poll(consumer, 60).get(0).value()), "value");
        }
    }

    private void generation() {
        try (var consumer = fixture.consumer("group.id", fixture.name("g-generation"))) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 60);
            equal(1, consumer.groupMetadata().generationId(), "generation of a new group");
            that(!consumer.groupMetadata().memberId().isEmpty(), "the member has an id");
        }
    }
}
