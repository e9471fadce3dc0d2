package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.PATIENCE;
import static thalweg.clients.Fixture.bytes;
import static thalweg.clients.Fixture.text;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** KafkaShareConsumer (KIP-932): records are given out to whoever asks, until somebody says that they are done with. */
final class ShareChecks {
    private final Fixture fixture;
    private final Checks checks;

    ShareChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("share-implicit-acknowledgement", this::implicit);
        checks.check("share-begins-at-the-end", this::latest);
        checks.check("share-accept-release-reject", this::explicit);
        checks.check("share-lock-runs-out", this::lock);
        checks.check("share-delivered-too-often", this::limit);
        checks.check("share-closing-releases", this::closing);
        checks.check("share-two-members-one-partition", this::two);
        checks.check("share-several-partitions", this::several);
        checks.check("share-compressed-batches", this::compressed);
        checks.check("share-waits-for-records", this::waits);
        checks.check("share-read-committed", this::committed);
        checks.check("share-described-and-listed", this::described);
        checks.check("share-offsets", this::offsets);
        checks.check("share-deleted", this::deleted);
        checks.check("share-settings", this::settings);
    }

    /** A group that begins with the first record. */
    private String group(String name, String... settings) throws Exception {
        String group = fixture.name(name);
        var ops = new ArrayList<AlterConfigOp>();
        ops.add(set("share.auto.offset.reset", "earliest"));
        for (int i = 0; i < settings.length; i += 2) {
            ops.add(set(settings[i], settings[i + 1]));
        }
        fixture.admin.incrementalAlterConfigs(Map.of(resource(group), ops)).all().get();
        return group;
    }

    private static ConfigResource resource(String group) {
        return new ConfigResource(ConfigResource.Type.GROUP, group);
    }

    private static AlterConfigOp set(String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    }

    private KafkaShareConsumer<byte[], byte[]> member(String group, String topic, Object... settings) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", fixture.bootstrap);
        all.put("group.id", group);
        all.put("default.api.timeout.ms", 20_000);
        all.put("fetch.max.wait.ms", 200);
        for (int i = 0; i < settings.length; i += 2) {
            all.put((String) settings[i], settings[i + 1]);
        }
        var member = new KafkaShareConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        member.subscribe(List.of(topic));
        return member;
    }

    private KafkaShareConsumer<byte[], byte[]> explicit(String group, String topic) {
        return member(group, topic, "share.acknowledgement.mode", "explicit");
    }

    /** Polls once there is something; fails when nothing comes. */
    private static List<ConsumerRecord<byte[], byte[]>> some(KafkaShareConsumer<byte[], byte[]> member) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (records.isEmpty() && System.nanoTime() < deadline) {
            member.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        that(!records.isEmpty(), "no record came");
        return records;
    }

    /** Takes `count` records and accepts them; `done` is given each of them. */
    private static List<ConsumerRecord<byte[], byte[]>> take(KafkaShareConsumer<byte[], byte[]> member, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (records.size() < count && System.nanoTime() < deadline) {
            member.poll(Duration.ofMillis(200)).forEach(records::add);
            commit(member);
        }
        equal(count, records.size(), "records taken");
        return records;
    }

    private static void commit(KafkaShareConsumer<byte[], byte[]> member) {
        member.commitSync().forEach((partition, failure) -> equal(Optional.empty(), failure, "commit of " + partition));
    }

    private static void nothing(KafkaShareConsumer<byte[], byte[]> member) {
        for (int i = 0; i < 4; i++) {
            var records = member.poll(Duration.ofMillis(200));
            that(records.isEmpty(), "records came: " + offsets(records));
        }
    }

    private static Set<Long> offsets(Iterable<ConsumerRecord<byte[], byte[]>> records) {
        Set<Long> offsets = new TreeSet<>();
        records.forEach(record -> offsets.add(record.offset()));
        return offsets;
    }

    private void implicit() throws Exception {
        String topic = fixture.topic("s-implicit", 1);
        fixture.fill(topic, 0, 20);
        String group = group("s-implicit");
        try (var member = member(group, topic)) {
            var records = take(member, 20);
            equal("v7", text(records.get(7).value()), "value of the eighth");
            equal(Optional.of((short) 1), records.get(7).deliveryCount(), "deliveries of the eighth");
            equal(Optional.of(30_000), member.acquisitionLockTimeoutMs(), "how long records are held");
        }
        try (var member = member(group, topic)) {
            nothing(member);
            fixture.fill(topic, 0, 1);
            equal(Set.of(20L), offsets(take(member, 1)), "what came later");
        }
    }

    private void latest() throws Exception {
        String topic = fixture.topic("s-latest", 1);
        fixture.fill(topic, 0, 5);
        try (var member = member(fixture.name("s-latest"), topic)) {
            nothing(member);
            // When exactly the group begins is the broker's affair.
            List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (records.isEmpty() && System.nanoTime() < deadline) {
                fixture.fill(topic, 0, 1);
                member.poll(Duration.ofMillis(500)).forEach(records::add);
            }
            that(!records.isEmpty() && records.get(0).offset() >= 5, "records: " + offsets(records));
        }
    }

    private void explicit() throws Exception {
        String topic = fixture.topic("s-explicit", 1);
        fixture.fill(topic, 0, 6);
        String group = group("s-explicit");
        try (var member = explicit(group, topic)) {
            var records = some(member);
            equal(Set.of(0L, 1L, 2L, 3L, 4L, 5L), offsets(records), "the first delivery");
            for (var record : records) {
                var types = List.of(AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT);
                member.acknowledge(record, types.get((int) record.offset() % 3));
            }
            commit(member);
            records = some(member);
            equal(Set.of(1L, 4L), offsets(records), "what was released");
            for (var record : records) {
                equal(Optional.of((short) 2), record.deliveryCount(), "deliveries of " + record.offset());
                member.acknowledge(record);
            }
            commit(member);
            nothing(member);
        }
    }

    private void lock() throws Exception {
        String topic = fixture.topic("s-lock", 1);
        fixture.fill(topic, 0, 3);
        String group = group("s-lock", "share.record.lock.duration.ms", "1500");
        try (var first = explicit(group, topic); var second = explicit(group, topic)) {
            var held = some(first);
            equal(3, held.size(), "records held");
            nothing(second);
            var again = some(second);
            equal(Set.of(0L, 1L, 2L), offsets(again), "what the first held too long");
            equal(Optional.of((short) 2), again.get(0).deliveryCount(), "its deliveries");
            again.forEach(second::acknowledge);
            commit(second);
            // It is too late for the first, and makes no difference.
            held.forEach(record -> first.acknowledge(record, AcknowledgeType.RELEASE));
            first.commitSync();
            nothing(first);
            nothing(second);
        }
    }

    private void limit() throws Exception {
        String topic = fixture.topic("s-limit", 1);
        fixture.fill(topic, 0, 2);
        String group = group("s-limit", "share.delivery.count.limit", "2");
        try (var member = explicit(group, topic)) {
            for (int delivery = 1; delivery <= 2; delivery++) {
                var records = some(member);
                equal(2, records.size(), "records of delivery " + delivery);
                records.forEach(record -> member.acknowledge(record, AcknowledgeType.RELEASE));
                commit(member);
            }
            nothing(member);
        }
    }

    private void closing() throws Exception {
        String topic = fixture.topic("s-closing", 1);
        fixture.fill(topic, 0, 4);
        String group = group("s-closing");
        try (var member = explicit(group, topic)) {
            var records = some(member);
            member.acknowledge(records.get(0));
        }
        try (var member = explicit(group, topic)) {
            // Long before the lock would run out.
            var records = some(member);
            equal(Set.of(1L, 2L, 3L), offsets(records), "what was not acknowledged");
            records.forEach(member::acknowledge);
        }
        try (var member = explicit(group, topic)) {
            nothing(member);
        }
    }

    private void two() throws Exception {
        String topic = fixture.topic("s-two", 1);
        String group = group("s-two");
        Set<Long> seen = new TreeSet<>();
        int[] shares = new int[2];
        try (var first = member(group, topic, "max.poll.records", 5); var second = member(group, topic, "max.poll.records", 5)) {
            first.poll(Duration.ofMillis(500));
            second.poll(Duration.ofMillis(500));
            for (int i = 0; i < 20; i++) {
                fixture.fill(topic, 0, 5);
            }
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (seen.size() < 100 && System.nanoTime() < deadline) {
                int index = 0;
                for (var member : List.of(first, second)) {
                    for (var record : member.poll(Duration.ofMillis(100))) {
                        that(seen.add(record.offset()), record.offset() + " came twice");
                        shares[index]++;
                    }
                    index++;
                }
            }
            equal(100, seen.size(), "records");
            that(shares[0] > 0 && shares[1] > 0, "both have some: " + shares[0] + " and " + shares[1]);
        }
    }

    private void several() throws Exception {
        String topic = fixture.topic("s-several", 5);
        for (int partition = 0; partition < 5; partition++) {
            fixture.fill(topic, partition, 10);
        }
        String group = group("s-several");
        try (var member = member(group, topic)) {
            Set<TopicPartition> partitions = new HashSet<>();
            take(member, 50).forEach(record -> partitions.add(new TopicPartition(topic, record.partition())));
            equal(5, partitions.size(), "partitions read");
        }
    }

    private void compressed() throws Exception {
        String topic = fixture.topic("s-compressed", 1);
        try (var producer = fixture.producer("compression.type", "zstd", "linger.ms", 100)) {
            for (int i = 0; i < 30; i++) {
                producer.send(new ProducerRecord<>(topic, 0, null, bytes("v" + i)));
            }
            producer.flush();
        }
        try (var member = explicit(group("s-compressed"), topic)) {
            // One batch, part of which is done with before the rest.
            var records = some(member);
            equal(30, records.size(), "records of the batch");
            for (var record : records) {
                member.acknowledge(record, record.offset() < 20 ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
            }
            commit(member);
            records = some(member);
            equal(10, records.size(), "what was released");
            equal("v20", text(records.get(0).value()), "the first of them");
            records.forEach(member::acknowledge);
            commit(member);
        }
    }

    private void waits() throws Exception {
        String topic = fixture.topic("s-waits", 3);
        try (var member = member(group("s-waits"), topic, "fetch.max.wait.ms", 10_000)) {
            member.poll(Duration.ofMillis(1_000));
            Thread writer = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    fixture.fill(topic, 2, 1);
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            writer.start();
            equal(1, some(member).size(), "what came while it waited");
            writer.join();
        }
    }

    private void committed() throws Exception {
        String topic = fixture.topic("s-committed", 1);
        String group = group("s-committed", "share.isolation.level", "read_committed");
        try (var producer = fixture.producer("transactional.id", fixture.name("s-committed"))) {
            producer.initTransactions();
            for (String word : List.of("aborted", "committed")) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, 0, null, bytes(word)));
                producer.flush();
                if (word.equals("aborted")) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, null, bytes("open")));
            producer.flush();
            try (var member = member(group, topic)) {
                equal("committed", text(take(member, 1).get(0).value()), "what is to be read");
                nothing(member);
                producer.commitTransaction();
                equal("open", text(take(member, 1).get(0).value()), "what was decided meanwhile");
            }
        }
    }

    private void described() throws Exception {
        String topic = fixture.topic("s-described", 2);
        fixture.fill(topic, 0, 1);
        String group = group("s-described");
        try (var member = member(group, topic)) {
            take(member, 1);
            var found = fixture.admin.describeShareGroups(List.of(group)).all().get().get(group);
            equal(GroupState.STABLE, found.groupState(), "state");
            equal(1, found.members().size(), "members");
            equal(2, found.members().iterator().next().assignment().topicPartitions().size(), "partitions of the member");
            var options = new ListGroupsOptions().withTypes(Set.of(GroupType.SHARE)).inGroupStates(Set.of(GroupState.STABLE));
            var listed = fixture.admin.listGroups(options).all().get();
            that(listed.stream().anyMatch(it -> it.groupId().equals(group) && it.protocol().equals("share")), "listed: " + listed);
        }
        var found = fixture.admin.describeShareGroups(List.of(group)).all().get().get(group);
        equal(GroupState.EMPTY, found.groupState(), "state without members");
        fails(GroupIdNotFoundException.class, () -> fixture.admin.describeShareGroups(List.of(fixture.name("s-none"))).all().get());
    }

    private void offsets() throws Exception {
        String topic = fixture.topic("s-offsets", 1);
        fixture.fill(topic, 0, 10);
        String group = group("s-offsets");
        TopicPartition at = new TopicPartition(topic, 0);
        try (var member = member(group, topic)) {
            take(member, 10);
            fails(GroupNotEmptyException.class, () -> fixture.admin.alterShareGroupOffsets(group, Map.of(at, 3L)).all().get());
        }
        // Kafka writes that the group has gone on with the next thing that it does.
        that(Set.of(0L, 10L).contains(start(group, at)), "where the group is: " + start(group, at));
        fixture.admin.alterShareGroupOffsets(group, Map.of(at, 7L)).all().get();
        equal(7L, start(group, at), "where it was put");
        try (var member = member(group, topic)) {
            equal(Set.of(7L, 8L, 9L), offsets(take(member, 3)), "what comes again");
        }
        fixture.admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get();
        try (var member = member(group, topic)) {
            equal(10, take(member, 10).size(), "all comes again");
        }
    }

    private long start(String group, TopicPartition partition) throws Exception {
        var spec = new ListShareGroupOffsetsSpec().topicPartitions(List.of(partition));
        var found = fixture.admin.listShareGroupOffsets(Map.of(group, spec)).partitionsToOffsetInfo(group).get();
        return found.get(partition).startOffset();
    }

    private void deleted() throws Exception {
        String topic = fixture.topic("s-deleted", 1);
        fixture.fill(topic, 0, 5);
        String group = group("s-deleted");
        try (var member = member(group, topic)) {
            take(member, 5);
            fails(GroupNotEmptyException.class, () -> fixture.admin.deleteShareGroups(List.of(group)).all().get());
        }
        fixture.admin.deleteShareGroups(List.of(group)).all().get();
        fails(GroupIdNotFoundException.class, () -> fixture.admin.describeShareGroups(List.of(group)).all().get());
        try (var member = member(group, topic)) {
            equal(5, take(member, 5).size(), "a new group of the same name begins anew");
        }
    }

    private void settings() {
        refused("share.auto.offset.reset", "somewhere");
        refused("share.record.lock.duration.ms", "100000000");
        refused("share.delivery.count.limit", "1");
    }

    private void refused(String key, String value) {
        Map<ConfigResource, java.util.Collection<AlterConfigOp>> change = Map.of(resource(fixture.name("s-settings")), List.of(set(key, value)));
        fails(InvalidConfigurationException.class, () -> fixture.admin.incrementalAlterConfigs(change).all().get());
    }
}
