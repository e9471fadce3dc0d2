package thalweg.clients;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group: {@code Member classic|consumer|share BOOTSTRAP TOPIC GROUP}. Takes records one by one and commits each, or
 * acknowledges it; see members.rs.
 */
public final class Member {
    private static final Duration POLL = Duration.ofMillis(200);
    private static volatile boolean running = true;

    private Member() {}

    public static void main(String[] args) {
        CountDownLatch left = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            running = false;
            try {
                left.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }));
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", args[1]);
        settings.put("group.id", args[3]);
        settings.put("max.poll.records", 1);
        settings.put("fetch.max.wait.ms", 100);
        try {
            if (args[0].equals("share")) {
                share(settings, args[2]);
            } else {
                consume(settings, args[0], args[2]);
            }
        } finally {
            left.countDown();
        }
    }

    private static void say(String what, int partition, long offset, String value) {
        long now = System.currentTimeMillis() * 1000;
        System.out.println(what + " " + now + " " + partition + " " + offset + " " + value);
    }

    private static void consume(Map<String, Object> settings, String protocol, String topic) {
        settings.put("group.protocol", protocol);
        settings.put("enable.auto.commit", false);
        settings.put("auto.offset.reset", "earliest");
        if (protocol.equals("classic")) {
            settings.put("partition.assignment.strategy", RangeAssignor.class.getName());
            settings.put("heartbeat.interval.ms", 300);
            settings.put("session.timeout.ms", 30_000);
        }
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (running) {
                for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                    say("seen", record.partition(), record.offset(), record.value());
                    var behind = new OffsetAndMetadata(record.offset() + 1);
                    try {
                        consumer.commitSync(Map.of(new TopicPartition(topic, record.partition()), behind));
                    } catch (KafkaException late) {
                        continue;
                    }
                    say("committed", record.partition(), record.offset() + 1, "");
                }
            }
        }
    }

    private static void share(Map<String, Object> settings, String topic) {
        settings.put("share.acknowledgement.mode", "explicit");
        try (var consumer = new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (running) {
                for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                    say("seen", record.partition(), record.offset(), record.value());
                    consumer.acknowledge(record);
                    var results = consumer.commitSync();
                    if (results.values().stream().allMatch(error -> error.isEmpty())) {
                        say("acknowledged", record.partition(), record.offset(), "");
                    }
                }
            }
        }
    }
}
