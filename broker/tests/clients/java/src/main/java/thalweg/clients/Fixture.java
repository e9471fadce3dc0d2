package thalweg.clients;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What all checks share: the broker's address, names of their own, one Admin, and short ways to make clients. */
final class Fixture implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(20);

    final String bootstrap;
    final String prefix;
    final Admin admin;

    Fixture(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", 20_000, "request.timeout.ms", 10_000));
    }

    String name(String name) {
        return prefix + name;
    }

    /** Creates a topic and returns once a leader is known for every partition. */
    String topic(String name, int partitions, Map<String, String> configs) throws Exception {
        String topic = name(name);
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1)).configs(configs))).all().get();
        awaitTopic(topic, partitions);
        // A broker may name itself leader before it serves: ask each partition something that only a serving leader answers.
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) {
            ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        }
        admin.listOffsets(ends).all().get();
        return topic;
    }

    String topic(String name, int partitions) throws Exception {
        return topic(name, partitions, Map.of());
    }

    /** Creation is answered before every broker has heard of it. */
    void awaitTopic(String topic, int partitions) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                var description = admin.describeTopics(List.of(topic)).allTopicNames().get(10, TimeUnit.SECONDS).get(topic);
                if (description.partitions().size() == partitions && description.partitions().stream().allMatch(p -> p.leader() != null && !p.leader().isEmpty())) {
                    return;
                }
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) {
                    throw e;
                }
            }
            Checks.that(System.nanoTime() < deadline, topic + " never had its leaders");
            Thread.sleep(20);
        }
    }

    KafkaProducer<byte[], byte[]> producer(Object... settings) {
        Properties properties = settings(settings);
        properties.putIfAbsent("delivery.timeout.ms", 20_000);
        properties.putIfAbsent("request.timeout.ms", 10_000);
        properties.putIfAbsent("max.block.ms", 20_000);
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<byte[], byte[]> consumer(Object... settings) {
        Properties properties = settings(settings);
        properties.putIfAbsent("group.protocol", "classic");
        properties.putIfAbsent("auto.offset.reset", "earliest");
        properties.putIfAbsent("enable.auto.commit", false);
        properties.putIfAbsent("default.api.timeout.ms", 20_000);
        // A consumer that is closed waits for the fetch on its way; the default of 500 ms would be most of this suite's time.
        properties.putIfAbsent("fetch.max.wait.ms", 100);
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private Properties settings(Object... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) {
            properties.put((String) settings[i], settings[i + 1]);
        }
        return properties;
    }

    /** Writes text values `0..count` to one partition with the default producer and waits for all of them. */
    void fill(String topic, int partition, int count) throws Exception {
        try (var producer = producer()) {
            List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, partition, bytes("k" + i), bytes("v" + i))));
            }
            for (var future : sent) {
                future.get();
            }
        }
    }

    /** Polls until there are `count` records; fails when they do not come. */
    static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (records.size() < count && System.nanoTime() < deadline) {
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        Checks.equal(count, records.size(), "records polled");
        return records;
    }

    /** All `count` records of a partition, from the start. */
    List<ConsumerRecord<byte[], byte[]>> read(String topic, int partition, int count) {
        try (var consumer = consumer()) {
            TopicPartition at = new TopicPartition(topic, partition);
            consumer.assign(List.of(at));
            consumer.seekToBeginning(List.of(at));
            return poll(consumer, count);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }
}
