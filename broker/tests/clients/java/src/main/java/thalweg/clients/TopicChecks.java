package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** AdminClient: topics, partitions, the cluster, its log directories. */
final class TopicChecks {
    private final Fixture fixture;
    private final Checks checks;

    TopicChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("admin-create-topic", this::create);
        checks.check("admin-create-topic-with-defaults", this::createDefaults);
        checks.check("admin-create-topic-with-assignment", this::createAssigned);
        checks.check("admin-create-topic-validate-only", this::validateOnly);
        checks.check("admin-create-topic-errors", this::createErrors);
        checks.check("admin-create-several-one-fails", this::createSeveral);
        checks.check("admin-list-topics", this::list);
        checks.check("admin-describe-topic-by-id", this::describeById);
        checks.check("admin-describe-unknown-topic", this::describeUnknown);
        checks.check("admin-describe-topics-in-pages", this::describePages);
        checks.check("admin-delete-topic-by-name", this::deleteByName);
        checks.check("admin-delete-topic-by-id", this::deleteById);
        checks.check("admin-delete-and-create-again", this::deleteAndCreateAgain);
        checks.check("admin-delete-unknown-topic", this::deleteUnknown);
        checks.check("admin-create-partitions", this::createPartitions);
        checks.check("admin-create-partitions-errors", this::createPartitionsErrors);
        checks.check("admin-describe-cluster", this::describeCluster);
        checks.check("admin-describe-log-dirs", this::describeLogDirs);
        checks.check("admin-describe-features", this::features);
    }

    private int node() throws Exception {
        return fixture.admin.describeCluster().nodes().get().iterator().next().id();
    }

    private void create() throws Exception {
        String topic = fixture.name("created");
        var result = fixture.admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "3600000"))));
        equal(3, result.numPartitions(topic).get(), "partitions in the answer");
        equal(1, result.replicationFactor(topic).get(), "replicas in the answer");
        equal("3600000", result.config(topic).get().get("retention.ms").value(), "the config in the answer");
        that(!result.topicId(topic).get().equals(Uuid.ZERO_UUID), "the topic has an id");
        fixture.awaitTopic(topic, 3);
        var description = fixture.admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        equal(result.topicId(topic).get(), description.topicId(), "the same id when described");
        equal(false, description.isInternal(), "internal");
        for (var partition : description.partitions()) {
            equal(1, partition.replicas().size(), "replicas");
            equal(partition.replicas(), partition.isr(), "in sync");
            equal(partition.replicas().get(0), partition.leader(), "leader");
        }
    }

    private void createDefaults() throws Exception {
        String topic = fixture.name("defaults");
        fixture.admin.createTopics(List.of(new NewTopic(topic, Optional.empty(), Optional.empty()))).all().get();
        fixture.awaitTopic(topic, 1);
    }

    private void createAssigned() throws Exception {
        String topic = fixture.name("assigned");
        int node = node();
        fixture.admin.createTopics(List.of(new NewTopic(topic, Map.of(0, List.of(node), 1, List.of(node))))).all().get();
        fixture.awaitTopic(topic, 2);
        fails(InvalidReplicaAssignmentException.class, () -> fixture.admin.createTopics(List.of(new NewTopic(fixture.name("assigned-wrong"), Map.of(0, List.of(987654))))).all().get());
    }

    private void validateOnly() throws Exception {
        String topic = fixture.name("validated");
        var options = new CreateTopicsOptions().validateOnly(true);
        fixture.admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1)), options).all().get();
        that(!fixture.admin.listTopics().names().get().contains(topic), "nothing is created");
        fails(InvalidPartitionsException.class, () -> fixture.admin.createTopics(List.of(new NewTopic(topic, 0, (short) 1)), options).all().get());
    }

    private void createErrors() throws Exception {
        String topic = fixture.topic("twice", 1);
        fails(TopicExistsException.class, () -> create(new NewTopic(topic, 1, (short) 1)));
        fails(InvalidTopicException.class, () -> create(new NewTopic("no spaces", 1, (short) 1)));
        fails(InvalidTopicException.class, () -> create(new NewTopic("..", 1, (short) 1)));
        fails(InvalidTopicException.class, () -> create(new NewTopic("x".repeat(250), 1, (short) 1)));
        fails(InvalidReplicationFactorException.class, () -> create(new NewTopic(fixture.name("replicas"), 1, (short) 5)));
        fails(InvalidConfigurationException.class, () -> create(new NewTopic(fixture.name("config"), 1, (short) 1).configs(Map.of("retention.msec", "1"))));
        fails(InvalidConfigurationException.class, () -> create(new NewTopic(fixture.name("config"), 1, (short) 1).configs(Map.of("retention.ms", "soon"))));
        // A period and an underscore look the same in metric names.
        fixture.topic("a.b", 1);
        fails(InvalidTopicException.class, () -> create(new NewTopic(fixture.name("a_b"), 1, (short) 1)));
    }

    private void create(NewTopic topic) throws Exception {
        fixture.admin.createTopics(List.of(topic)).all().get();
    }

    private void createSeveral() throws Exception {
        String good = fixture.name("several-good");
        var result = fixture.admin.createTopics(List.of(new NewTopic(good, 1, (short) 1), new NewTopic(fixture.name("several-bad"), -5, (short) 1)));
        result.values().get(good).get();
        fails(InvalidPartitionsException.class, () -> result.values().get(fixture.name("several-bad")).get());
        fixture.awaitTopic(good, 1);
    }

    private void list() throws Exception {
        String topic = fixture.topic("listed", 1);
        var listings = fixture.admin.listTopics(new ListTopicsOptions().listInternal(false)).namesToListings().get();
        that(listings.containsKey(topic), "the topic is listed");
        that(!listings.containsKey("__consumer_offsets"), "internal topics are not");
        that(!listings.get(topic).topicId().equals(Uuid.ZERO_UUID), "with its id");
        var internal = fixture.admin.listTopics(new ListTopicsOptions().listInternal(true)).namesToListings().get().get("__consumer_offsets");
        that(internal != null && internal.isInternal(), "__consumer_offsets is listed as internal when asked for");
    }

    private Uuid id(String topic) throws Exception {
        return fixture.admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
    }

    private void describeById() throws Exception {
        String topic = fixture.topic("by-id", 2);
        Uuid id = id(topic);
        var description = fixture.admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
        equal(topic, description.name(), "name");
        equal(2, description.partitions().size(), "partitions");
        fails(UnknownTopicIdException.class, () -> fixture.admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get());
    }

    private void describeUnknown() {
        fails(UnknownTopicOrPartitionException.class, () -> fixture.admin.describeTopics(List.of(fixture.name("nowhere"))).allTopicNames().get());
    }

    /** DescribeTopicPartitions gives a cursor where an answer would be too long (KIP-966). */
    private void describePages() throws Exception {
        String topic = fixture.topic("pages", 25);
        var options = new org.apache.kafka.clients.admin.DescribeTopicsOptions().partitionSizeLimitPerResponse(10);
        var description = fixture.admin.describeTopics(List.of(topic), options).allTopicNames().get().get(topic);
        equal(25, description.partitions().size(), "partitions over several pages");
        for (int i = 0; i < 25; i++) {
            equal(i, description.partitions().get(i).partition(), "partition");
        }
    }

    private void awaitGone(String topic) throws Exception {
        for (int i = 0; i < 500; i++) {
            if (!fixture.admin.listTopics().names().get(10, TimeUnit.SECONDS).contains(topic)) {
                return;
            }
            Thread.sleep(20);
        }
        throw new AssertionError(topic + " is still listed");
    }

    private void deleteByName() throws Exception {
        String topic = fixture.topic("deleted", 2);
        fixture.fill(topic, 0, 10);
        fixture.admin.deleteTopics(List.of(topic)).all().get();
        awaitGone(topic);
    }

    private void deleteById() throws Exception {
        String topic = fixture.topic("deleted-by-id", 1);
        fixture.admin.deleteTopics(TopicCollection.ofTopicIds(Set.of(id(topic)))).all().get();
        awaitGone(topic);
    }

    private void deleteAndCreateAgain() throws Exception {
        String topic = fixture.topic("again", 1);
        Uuid before = id(topic);
        fixture.fill(topic, 0, 10);
        fixture.admin.deleteTopics(List.of(topic)).all().get();
        awaitGone(topic);
        fixture.topic("again", 1);
        that(!before.equals(id(topic)), "a new topic has a new id");
        fixture.fill(topic, 0, 3);
        equal(3, fixture.read(topic, 0, 3).size(), "only the new records are there");
    }

    private void deleteUnknown() {
        fails(UnknownTopicOrPartitionException.class, () -> fixture.admin.deleteTopics(List.of(fixture.name("nowhere"))).all().get());
        fails(UnknownTopicIdException.class, () -> fixture.admin.deleteTopics(TopicCollection.ofTopicIds(Set.of(Uuid.randomUuid()))).all().get());
    }

    private void createPartitions() throws Exception {
        String topic = fixture.topic("grown", 2);
        fixture.fill(topic, 1, 5);
        fixture.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4)), new CreatePartitionsOptions().validateOnly(true)).all().get();
        fixture.awaitTopic(topic, 2);
        fixture.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        fixture.awaitTopic(topic, 5);
        fixture.fill(topic, 4, 5);
        equal(5, fixture.read(topic, 4, 5).size(), "records in a new partition");
        equal(5, fixture.read(topic, 1, 5).size(), "records in an old one");
    }

    private void createPartitionsErrors() throws Exception {
        String topic = fixture.topic("not-grown", 3);
        fails(InvalidPartitionsException.class, () -> fixture.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get());
        fails(InvalidPartitionsException.class, () -> fixture.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
        fails(UnknownTopicOrPartitionException.class, () -> fixture.admin.createPartitions(Map.of(fixture.name("nowhere"), NewPartitions.increaseTo(2))).all().get());
        fails(InvalidReplicaAssignmentException.class, () -> fixture.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4, List.of(List.of(987654))))).all().get());
    }

    private void describeCluster() throws Exception {
        var cluster = fixture.admin.describeCluster(new DescribeClusterOptions());
        equal(1, cluster.nodes().get().size(), "nodes");
        var node = cluster.nodes().get().iterator().next();
        equal(fixture.bootstrap, node.host() + ":" + node.port(), "the advertised address");
        that(cluster.clusterId().get() != null && !cluster.clusterId().get().isEmpty(), "the cluster has an id");
        that(cluster.controller().get() != null, "there is a controller");
    }

    private void describeLogDirs() throws Exception {
        String topic = fixture.topic("dirs", 2);
        fixture.fill(topic, 0, 100);
        int node = node();
        var dirs = fixture.admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
        that(!dirs.isEmpty(), "there is a directory");
        long size = -1;
        int replicas = 0;
        for (var dir : dirs.values()) {
            that(dir.error() == null, "the directory is well");
            that(dir.totalBytes().isPresent() && dir.usableBytes().isPresent(), "it says how large its volume is (KIP-827)");
            for (var replica : dir.replicaInfos().entrySet()) {
                if (replica.getKey().topic().equals(topic)) {
                    replicas++;
                    if (replica.getKey().partition() == 0) {
                        size = replica.getValue().size();
                        equal(0L, replica.getValue().offsetLag(), "lag");
                        equal(false, replica.getValue().isFuture(), "future");
                    }
                }
            }
        }
        equal(2, replicas, "replicas of the topic");
        that(size > 100, "the size counts what was written: " + size);
    }

    private void features() throws Exception {
        fixture.admin.describeFeatures().featureMetadata().get(10, TimeUnit.SECONDS);
    }
}
