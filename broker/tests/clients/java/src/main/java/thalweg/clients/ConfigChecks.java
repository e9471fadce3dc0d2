package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.fails;
import static thalweg.clients.Checks.that;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigType;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** AdminClient: configs of topics and brokers. */
final class ConfigChecks {
    private final Fixture fixture;
    private final Checks checks;

    ConfigChecks(Fixture fixture, Checks checks) {
        this.fixture = fixture;
        this.checks = checks;
    }

    void run() {
        checks.check("config-describe-topic-defaults", this::defaults);
        checks.check("config-describe-topic-own-value", this::own);
        checks.check("config-describe-synonyms-types-documentation", this::details);
        checks.check("config-describe-broker", this::broker);
        checks.check("config-describe-unknown-topic", this::unknown);
        checks.check("config-set-and-delete", this::setAndDelete);
        checks.check("config-append-and-subtract", this::appendAndSubtract);
        checks.check("config-validate-only", this::validateOnly);
        checks.check("config-errors", this::errors);
        checks.check("config-takes-effect", this::takesEffect);
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private Config describe(String topic) throws Exception {
        return fixture.admin.describeConfigs(List.of(resource(topic))).all().get().get(resource(topic));
    }

    private void alter(String topic, String key, String value, OpType type) throws Exception {
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(key, value), type));
        fixture.admin.incrementalAlterConfigs(Map.of(resource(topic), ops)).all().get();
    }

    /** Altering is answered before every broker has heard of it. */
    private void await(String topic, String key, String value) throws Exception {
        for (int i = 0; i < 250 && !value.equals(describe(topic).get(key).value()); i++) {
            Thread.sleep(20);
        }
        equal(value, describe(topic).get(key).value(), key);
    }

    private void defaults() throws Exception {
        Config config = describe(fixture.topic("config-defaults", 1));
        Map<String, String> expected = Map.of(
            "cleanup.policy", "delete", "compression.type", "producer", "retention.ms", "604800000", "retention.bytes", "-1",
            "segment.bytes", "1073741824", "max.message.bytes", "1048588", "message.timestamp.type", "CreateTime",
            "min.insync.replicas", "1", "delete.retention.ms", "86400000");
        for (var entry : expected.entrySet()) {
            that(config.get(entry.getKey()) != null, entry.getKey() + " is described");
            equal(entry.getValue(), config.get(entry.getKey()).value(), entry.getKey());
            equal(false, config.get(entry.getKey()).isReadOnly(), entry.getKey() + " is read only");
            equal(false, config.get(entry.getKey()).isSensitive(), entry.getKey() + " is sensitive");
        }
        equal(true, config.get("retention.bytes").isDefault(), "retention.bytes is a default");
    }

    private void own() throws Exception {
        String topic = fixture.topic("config-own", 1, Map.of("retention.ms", "60000"));
        ConfigEntry entry = describe(topic).get("retention.ms");
        equal("60000", entry.value(), "value");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, entry.source(), "source");
        equal(false, entry.isDefault(), "default");
    }

    private void details() throws Exception {
        String topic = fixture.topic("config-details", 1, Map.of("retention.ms", "60000"));
        var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Config config = fixture.admin.describeConfigs(List.of(resource(topic)), options).all().get().get(resource(topic));
        ConfigEntry retention = config.get("retention.ms");
        equal(ConfigType.LONG, retention.type(), "type of retention.ms");
        equal(ConfigType.LIST, config.get("cleanup.policy").type(), "type of cleanup.policy");
        equal(ConfigType.STRING, config.get("compression.type").type(), "type of compression.type");
        equal(ConfigType.BOOLEAN, config.get("preallocate").type(), "type of preallocate");
        that(retention.documentation() != null && retention.documentation().length() > 20, "it is documented");
        equal("retention.ms", retention.synonyms().get(0).name(), "the first synonym is what holds");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.synonyms().get(0).source(), "its source");
        var limit = config.get("max.message.bytes").synonyms();
        equal("message.max.bytes", limit.get(limit.size() - 1).name(), "the broker's name of the default");
        equal(ConfigSource.DEFAULT_CONFIG, limit.get(limit.size() - 1).source(), "its source");
    }

    private void broker() throws Exception {
        int node = fixture.admin.describeCluster().nodes().get().iterator().next().id();
        var resource = new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(node));
        Config config = fixture.admin.describeConfigs(List.of(resource)).all().get().get(resource);
        for (String key : List.of("log.dirs", "listeners", "num.partitions", "log.retention.hours")) {
            that(config.get(key) != null, key + " is described");
        }
        equal("1", config.get("num.partitions").value(), "num.partitions");
        equal(true, config.get("listeners").value().contains(fixture.bootstrap), "the listener's address");
    }

    private void unknown() {
        fails(UnknownTopicOrPartitionException.class, () -> describe(fixture.name("nowhere")));
        fails(UnknownTopicOrPartitionException.class, () -> alter(fixture.name("nowhere"), "retention.ms", "1", OpType.SET));
    }

    private void setAndDelete() throws Exception {
        String topic = fixture.topic("config-set", 1);
        alter(topic, "retention.ms", "12345", OpType.SET);
        await(topic, "retention.ms", "12345");
        alter(topic, "segment.bytes", "1048576", OpType.SET);
        await(topic, "segment.bytes", "1048576");
        equal("12345", describe(topic).get("retention.ms").value(), "the other one is kept");
        alter(topic, "retention.ms", null, OpType.DELETE);
        await(topic, "retention.ms", "604800000");
        that(describe(topic).get("retention.ms").source() != ConfigSource.DYNAMIC_TOPIC_CONFIG, "it is a default again");
    }

    private void appendAndSubtract() throws Exception {
        String topic = fixture.topic("config-append", 1);
        alter(topic, "cleanup.policy", "compact", OpType.APPEND);
        await(topic, "cleanup.policy", "delete,compact");
        alter(topic, "cleanup.policy", "delete", OpType.SUBTRACT);
        await(topic, "cleanup.policy", "compact");
    }

    private void validateOnly() throws Exception {
        String topic = fixture.topic("config-validate", 1);
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "5"), OpType.SET));
        fixture.admin.incrementalAlterConfigs(Map.of(resource(topic), ops), new AlterConfigsOptions().validateOnly(true)).all().get();
        equal("604800000", describe(topic).get("retention.ms").value(), "nothing changed");
    }

    private void errors() throws Exception {
        String topic = fixture.topic("config-errors", 1);
        fails(InvalidConfigurationException.class, () -> alter(topic, "no.such.key", "1", OpType.SET));
        fails(InvalidConfigurationException.class, () -> alter(topic, "retention.ms", "soon", OpType.SET));
        fails(InvalidConfigurationException.class, () -> alter(topic, "cleanup.policy", "burn", OpType.SET));
        fails(InvalidConfigurationException.class, () -> alter(topic, "retention.ms", "1", OpType.APPEND));
        Collection<AlterConfigOp> twice = List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "1"), OpType.SET),
            new AlterConfigOp(new ConfigEntry("retention.ms", "2"), OpType.SET));
        fails(InvalidRequestException.class, () -> fixture.admin.incrementalAlterConfigs(Map.of(resource(topic), twice)).all().get());
        equal("604800000", describe(topic).get("retention.ms").value(), "nothing changed");
    }

    /** An altered limit holds for the next record. */
    private void takesEffect() throws Exception {
        String topic = fixture.topic("config-effect", 1);
        fixture.fill(topic, 0, 1);
        alter(topic, "max.message.bytes", "500", OpType.SET);
        await(topic, "max.message.bytes", "500");
        try (var producer = fixture.producer()) {
            byte[] large = ProducerChecks.noise(2000);
            for (int i = 0; i < 100; i++) {
                try {
                    producer.send(new org.apache.kafka.clients.producer.ProducerRecord<>(topic, 0, null, large)).get();
                } catch (java.util.concurrent.ExecutionException e) {
                    that(e.getCause() instanceof org.apache.kafka.common.errors.RecordTooLargeException, "the error: " + e.getCause());
                    return;
                }
                Thread.sleep(50);
            }
        }
        throw new AssertionError("a record above the new limit was taken for five seconds");
    }
}
