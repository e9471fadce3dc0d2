package thalweg.ecosystem;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;

/**
 * A word count and a windowed join with exactly_once_v2, beside a broker that is killed meanwhile: `StreamsExact BOOTSTRAP
 * DIRECTORY LINES`. Says `progress N` for every hundred lines written, and `ok` or `not ok` for each result.
 *
 * Without a cache, each word's count leaves as 1, 2, 3 ...: what was counted twice, or lost, or seen although it was
 * aborted, breaks that sequence.
 */
public final class StreamsExact {
    private static final List<String> WORDS = List.of("bed", "deepest", "line", "river", "slope", "valley", "water");
    private static final int PARTITIONS = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(120);

    private final String bootstrap;
    private final int lines;

    private StreamsExact(String bootstrap, int lines) {
        this.bootstrap = bootstrap;
        this.lines = lines;
    }

    public static void main(String[] args) throws Exception {
        System.exit(new StreamsExact(args[0], Integer.parseInt(args[2])).run(Path.of(args[1])) ? 0 : 1);
    }

    private boolean run(Path directory) throws Exception {
        try (Admin admin = Admin.create(clients())) {
            List<NewTopic> topics = new ArrayList<>();
            for (String name : List.of("lines", "counts", "left", "right", "joined")) {
                topics.add(new NewTopic(name, PARTITIONS, (short) 1));
            }
            admin.createTopics(topics).all().get();
        }
        try (KafkaStreams streams = new KafkaStreams(topology(), settings(directory))) {
            streams.setUncaughtExceptionHandler(thrown -> {
                System.out.println("# a stream thread is replaced: " + thrown);
                return StreamThreadExceptionResponse.REPLACE_THREAD;
            });
            streams.start();
            Map<String, Long> expected = write();
            return check("word_count_is_exact", () -> counted(expected)) & check("join_is_exact", this::joined);
        }
    }

    private static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        Consumed<String, String> strings = Consumed.with(Serdes.String(), Serdes.String());
        builder.stream("lines", strings)
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.with(Serdes.String(), Serdes.Long()))
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        KStream<String, String> left = builder.stream("left", strings);
        KStream<String, String> right = builder.stream("right", strings);
        left.join(
                right,
                (one, other) -> one + "+" + other,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofHours(1), Duration.ofHours(1)),
                StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String()))
            .to("joined", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private Properties clients() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("reconnect.backoff.ms", "50");
        properties.put("reconnect.backoff.max.ms", "500");
        return properties;
    }

    private Properties settings(Path directory) {
        Properties properties = clients();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "exact");
        properties.put(StreamsConfig.STATE_DIR_CONFIG, directory.resolve("state").toString());
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        properties.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        // A transaction that a kill leaves open holds up who reads behind it until it times out.
        properties.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 10_000);
        return properties;
    }

    /** Writes everything, and counts what must come of it. */
    private Map<String, Long> write() throws Exception {
        Properties properties = clients();
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("linger.ms", "5");
        properties.put("delivery.timeout.ms", "120000");
        Map<String, Long> expected = new TreeMap<>();
        Random random = new Random(7);
        Exception[] failure = new Exception[1];
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            for (int at = 0; at < lines; at++) {
                String line = WORDS.get(random.nextInt(WORDS.size())) + " " + WORDS.get(random.nextInt(WORDS.size()));
                for (String word : line.split(" ")) {
                    expected.merge(word, 1L, Long::sum);
                }
                String key = Integer.toString(at);
                for (ProducerRecord<String, String> record : List.of(
                        new ProducerRecord<>("lines", key, line),
                        new ProducerRecord<>("left", key, "l" + at),
                        new ProducerRecord<>("right", key, "r" + at))) {
                    producer.send(record, (metadata, thrown) -> failure[0] = thrown == null ? failure[0] : thrown);
                }
                if (at % 100 == 99) {
                    System.out.println("progress " + (at + 1));
                    Thread.sleep(100);
                }
            }
            producer.flush();
        }
        if (failure[0] != null) {
            throw failure[0];
        }
        return expected;
    }

    private void counted(Map<String, Long> expected) {
        long total = expected.values().stream().mapToLong(Long::longValue).sum();
        Map<String, Long> found = new HashMap<>();
        for (ConsumerRecord<String, Long> record : read("counts", total, new LongDeserializer())) {
            long before = found.getOrDefault(record.key(), 0L);
            that(record.value() == before + 1, record.key() + " is counted " + record.value() + " after " + before);
            found.put(record.key(), record.value());
        }
        that(found.equals(expected), "counted " + found + " instead of " + expected);
    }

    private void joined() {
        Map<String, String> found = new HashMap<>();
        for (ConsumerRecord<String, String> record : read("joined", lines, new StringDeserializer())) {
            that(found.put(record.key(), record.value()) == null, "key " + record.key() + " is joined twice");
            String expected = "l" + record.key() + "+r" + record.key();
            that(record.value().equals(expected), record.value() + " instead of " + expected);
        }
        that(found.size() == lines, found.size() + " pairs instead of " + lines);
    }

    /** What committed transactions wrote, once there is as much as there must be, and nothing more for a while. */
    private <V> List<ConsumerRecord<String, V>> read(String topic, long count, Deserializer<V> values) {
        Properties properties = clients();
        properties.put("isolation.level", "read_committed");
        List<ConsumerRecord<String, V>> records = new ArrayList<>();
        try (KafkaConsumer<String, V> consumer = new KafkaConsumer<>(properties, new StringDeserializer(), values)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo info : consumer.partitionsFor(topic)) {
                partitions.add(new TopicPartition(topic, info.partition()));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            long quiet = Long.MAX_VALUE;
            while (System.nanoTime() < Math.min(deadline, quiet)) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
                if (records.size() >= count && quiet == Long.MAX_VALUE) {
                    quiet = System.nanoTime() + Duration.ofSeconds(2).toNanos();
                }
            }
        }
        System.out.println("# " + topic + ": " + records.size() + " records, expected " + count);
        return records;
    }

    private static boolean check(String name, Runnable body) {
        try {
            body.run();
            System.out.println("ok " + name);
            return true;
        } catch (RuntimeException | AssertionError thrown) {
            System.out.println("not ok " + name + ": " + thrown);
            return false;
        }
    }

    private static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
