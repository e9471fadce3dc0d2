package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.PATIENCE;
import static thalweg.clients.Fixture.poll;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/** KafkaConsumer with `group.protocol=consumer` (KIP-848): alone, with others, and with members of the classic protocol. */
final class ModernGroupChecks {
    private final Fixture fixture;
    private final Checks checks;
    private String topic;

    ModernGroupChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("modern-fixture", this::prepare);
        checks.check("modern-one-member", this::one);
        checks.check("modern-pattern", this::pattern);
        checks.check("modern-invalid-pattern", this::invalidPattern);
        checks.check("modern-commit-and-continue", this::commitAndContinue);
        checks.check("modern-two-members-share", this::two);
        checks.check("modern-range-assignor", this::range);
        checks.check("modern-unknown-assignor", this::unknownAssignor);
        checks.check("modern-static-member-keeps-its-place", this::staticMember);
        checks.check("modern-new-partitions-are-assigned", this::newPartitions);
        checks.check("modern-topic-that-comes-later", this::laterTopic);
        checks.check("modern-resubscribe", this::resubscribe);
        checks.check("modern-described-and-listed", this::described);
        checks.check("modern-group-settings", this::settings);
        checks.check("modern-upgrade-and-downgrade-online", this::migrate);
        checks.check("modern-classic-member-joins", this::classicJoins);
        checks.check("modern-empty-group-changes-its-protocol", this::changeEmpty);
    }

    private void prepare() throws Exception {
        topic = fixture.topic("modern", 4);
        for (int partition = 0; partition < 4; partition++) {
            fixture.fill(topic, partition, 10);
        }
    }

    private KafkaConsumer<byte[], byte[]> modern(String group, Object... settings) {
        Object[] all = new Object[settings.length + 4];
        all[0] = "group.protocol";
        all[1] = "consumer";
        all[2] = "group.id";
        all[3] = fixture.name(group);
        System.arraycopy(settings, 0, all, 4, settings.length);
        return fixture.consumer(all);
    }

    /** Polls all of them until it holds. */
    @SafeVarargs
    private static void until(String what, BooleanSupplier holds, KafkaConsumer<byte[], byte[]>... consumers) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!holds.getAsBoolean()) {
            that(System.nanoTime() < deadline, "never: " + what);
            for (var consumer : consumers) {
                consumer.poll(Duration.ofMillis(50));
            }
        }
    }

    private static Set<TopicPartition> both(KafkaConsumer<?, ?> one, KafkaConsumer<?, ?> other) {
        Set<TopicPartition> all = new HashSet<>(one.assignment());
        all.addAll(other.assignment());
        return all;
    }

    private void one() {
        try (var consumer = modern("m-one")) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 40);
            equal(4, consumer.assignment().size(), "partitions assigned to the only member");
            that(consumer.groupMetadata().generationId() > 0, "the member has an epoch");
        }
    }

    private void pattern() {
        try (var consumer = modern("m-pattern")) {
            consumer.subscribe(new SubscriptionPattern(fixture.name("moder") + "[a-z]"));
            poll(consumer, 40);
            equal(4, consumer.assignment().size(), "partitions of the topic that matches");
        }
    }

    private void invalidPattern() {
        try (var consumer = modern("m-invalid")) {
            consumer.subscribe(new SubscriptionPattern("(open"));
            fails(InvalidRegularExpression.class, () -> until("refused", () -> false, consumer));
        }
    }

    private void commitAndContinue() {
        TopicPartition first = new TopicPartition(topic, 0);
        try (var consumer = modern("m-continue")) {
            consumer.subscribe(List.of(topic));
            poll(consumer, 40);
            consumer.commitSync();
            equal(10L, consumer.committed(Set.of(first)).get(first).offset(), "committed");
        }
        try (var consumer = modern("m-continue")) {
            consumer.subscribe(List.of(topic));
            until("assigned again", () -> consumer.assignment().size() == 4, consumer);
            equal(10L, consumer.position(first), "where it goes on");
        }
    }

    private void two() {
        try (var one = modern("m-two"); var other = modern("m-two")) {
            one.subscribe(List.of(topic));
            until("all to the first", () -> one.assignment().size() == 4, one);
            other.subscribe(List.of(topic));
            until("shared", () -> one.assignment().size() == 2 && other.assignment().size() == 2, one, other);
            equal(4, both(one, other).size(), "different partitions");
            one.unsubscribe();
            until("all to the second", () -> other.assignment().size() == 4, other);
        }
    }

    private void range() {
        try (var one = modern("m-range", "group.remote.assignor", "range"); var other = modern("m-range", "group.remote.assignor", "range")) {
            one.subscribe(List.of(topic));
            other.subscribe(List.of(topic));
            until("shared", () -> one.assignment().size() == 2 && other.assignment().size() == 2, one, other);
            int sum = one.assignment().stream().mapToInt(TopicPartition::partition).sum();
            that(sum == 1 || sum == 5, "0 and 1, or 2 and 3: " + one.assignment());
        }
    }

    private void unknownAssignor() {
        try (var consumer = modern("m-assignor", "group.remote.assignor", "no-such")) {
            consumer.subscribe(List.of(topic));
            fails(UnsupportedAssignorException.class, () -> until("refused", () -> false, consumer));
        }
    }

    private void staticMember() {
        Set<TopicPartition> before;
        try (var other = modern("m-static", "group.instance.id", "b")) {
            try (var one = modern("m-static", "group.instance.id", "a")) {
                one.subscribe(List.of(topic));
                other.subscribe(List.of(topic));
                until("shared", () -> one.assignment().size() == 2 && other.assignment().size() == 2, one, other);
                before = Set.copyOf(one.assignment());
            }
            try (var again = modern("m-static", "group.instance.id", "a")) {
                again.subscribe(List.of(topic));
                until("back", () -> again.assignment().size() == 2, again, other);
                equal(before, again.assignment(), "what it has after it came back");
                equal(2, other.assignment().size(), "what the other kept");
            }
        }
    }

    private void newPartitions() throws Exception {
        String grows = fixture.topic("modern-grows", 1);
        try (var consumer = modern("m-grows")) {
            consumer.subscribe(List.of(grows));
            until("assigned", () -> consumer.assignment().size() == 1, consumer);
            fixture.admin.createPartitions(Map.of(grows, NewPartitions.increaseTo(3))).all().get();
            until("the new ones too", () -> consumer.assignment().size() == 3, consumer);
        }
    }

    private void laterTopic() throws Exception {
        String later = fixture.name("modern-later");
        try (var consumer = modern("m-later", "allow.auto.create.topics", false)) {
            consumer.subscribe(List.of(topic, later));
            until("what there is", () -> consumer.assignment().size() == 4, consumer);
            fixture.topic("modern-later", 2);
            until("what came", () -> consumer.assignment().size() == 6, consumer);
        }
    }

    private void resubscribe() throws Exception {
        String another = fixture.topic("modern-another", 2);
        try (var consumer = modern("m-resubscribe")) {
            consumer.subscribe(List.of(topic));
            until("the first", () -> consumer.assignment().size() == 4, consumer);
            consumer.subscribe(List.of(another));
            until("the other", () -> names(consumer.assignment()).equals(Set.of(another)), consumer);
        }
    }

    private static Set<String> names(Collection<TopicPartition> partitions) {
        Set<String> names = new HashSet<>();
        partitions.forEach(partition -> names.add(partition.topic()));
        return names;
    }

    private ConsumerGroupDescription describe(String group) throws Exception {
        return fixture.admin.describeConsumerGroups(List.of(fixture.name(group))).all().get().get(fixture.name(group));
    }

    private void described() throws Exception {
        try (var consumer = modern("m-described")) {
            consumer.subscribe(List.of(topic));
            until("assigned", () -> consumer.assignment().size() == 4, consumer);
            var description = describe("m-described");
            equal(GroupType.CONSUMER, description.type(), "type");
            equal(GroupState.STABLE, description.groupState(), "state");
            equal("uniform", description.partitionAssignor(), "assignor");
            equal(1, description.members().size(), "members");
            var member = description.members().iterator().next();
            equal(consumer.assignment(), member.assignment().topicPartitions(), "assignment");
            equal(consumer.assignment(), member.targetAssignment().orElseThrow().topicPartitions(), "target");
            equal(consumer.groupMetadata().memberId(), member.consumerId(), "member id");
            var listed = fixture.admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).all().get();
            that(listed.stream().anyMatch(it -> it.groupId().equals(fixture.name("m-described"))), "it is listed");
            fails(GroupNotEmptyException.class, () -> fixture.admin.deleteConsumerGroups(List.of(fixture.name("m-described"))).all().get());
        }
        equal(GroupState.EMPTY, describe("m-described").groupState(), "state without members");
        fixture.admin.deleteConsumerGroups(List.of(fixture.name("m-described"))).all().get();
    }

    private void settings() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, fixture.name("m-settings"));
        set(resource, "consumer.session.timeout.ms", "50000");
        var entry = fixture.admin.describeConfigs(List.of(resource)).all().get().get(resource).get("consumer.session.timeout.ms");
        equal("50000", entry.value(), "value");
        equal(ConfigEntry.ConfigSource.DYNAMIC_GROUP_CONFIG, entry.source(), "source");
        fails(InvalidConfigurationException.class, () -> set(resource, "consumer.session.timeout.ms", "1"));
        fails(InvalidConfigurationException.class, () -> set(resource, "no.such.setting", "1"));
    }

    private void set(ConfigResource resource, String name, String value) throws Exception {
        var op = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        fixture.admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get();
    }

    private void migrate() throws Exception {
        try (var classic = fixture.consumer("group.id", fixture.name("m-migrate"))) {
            classic.subscribe(List.of(topic));
            until("a classic group", () -> classic.assignment().size() == 4, classic);
            equal(GroupType.CLASSIC, describe("m-migrate").type(), "type before");
            try (var modern = modern("m-migrate")) {
                modern.subscribe(List.of(topic));
                until("shared", () -> modern.assignment().size() == 2 && classic.assignment().size() == 2, modern, classic);
                equal(4, both(modern, classic).size(), "different partitions");
                equal(GroupType.CONSUMER, describe("m-migrate").type(), "type with a member of the new protocol");
                classic.commitSync();
                modern.commitSync();
            }
            until("all to the classic one", () -> classic.assignment().size() == 4, classic);
            equal(GroupType.CLASSIC, describe("m-migrate").type(), "type after");
        }
    }

    private void classicJoins() throws Exception {
        try (var modern = modern("m-joins")) {
            modern.subscribe(List.of(topic));
            until("alone", () -> modern.assignment().size() == 4, modern);
            try (var classic = fixture.consumer("group.id", fixture.name("m-joins"))) {
                classic.subscribe(List.of(topic));
                until("shared", () -> modern.assignment().size() == 2 && classic.assignment().size() == 2, modern, classic);
                equal(4, both(modern, classic).size(), "different partitions");
            }
            until("alone again", () -> modern.assignment().size() == 4, modern);
        }
    }

    private void changeEmpty() throws Exception {
        for (int round = 0; round < 2; round++) {
            try (var classic = fixture.consumer("group.id", fixture.name("m-changes"))) {
                classic.subscribe(List.of(topic));
                until("classic", () -> classic.assignment().size() == 4, classic);
            }
            try (var modern = modern("m-changes")) {
                modern.subscribe(List.of(topic));
                until("modern", () -> modern.assignment().size() == 4, modern);
                equal(GroupType.CONSUMER, describe("m-changes").type(), "type");
            }
        }
    }
}
