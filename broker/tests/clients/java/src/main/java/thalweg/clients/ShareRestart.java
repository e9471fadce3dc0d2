package thalweg.clients;

import static thalweg.clients.Checks.equal;
import static thalweg.clients.Checks.that;
import static thalweg.clients.Fixture.PATIENCE;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A share group whose broker is killed: `ShareRestart BOOTSTRAP before` works on half of ten records and is gone without a word;
 * `ShareRestart BOOTSTRAP after` must be given exactly the rest.
 */
public final class ShareRestart {
    private static final String TOPIC = "restarted";
    private static final String GROUP = "restarted";

    private ShareRestart() {}

    public static void main(String[] args) throws Exception {
        try (Fixture fixture = new Fixture(args[0], "")) {
            if (args[1].equals("before")) {
                before(fixture);
            } else {
                after(fixture);
            }
        } catch (Throwable thrown) {
            thrown.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        System.out.println("ok share-restart-" + args[1]);
        // As one that is killed, it does not close its member.
        Runtime.getRuntime().halt(0);
    }

    private static KafkaShareConsumer<byte[], byte[]> member(Fixture fixture) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", fixture.bootstrap);
        settings.put("group.id", GROUP);
        settings.put("share.acknowledgement.mode", "explicit");
        var member = new KafkaShareConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        member.subscribe(List.of(TOPIC));
        return member;
    }

    private static List<ConsumerRecord<byte[], byte[]>> some(KafkaShareConsumer<byte[], byte[]> member, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (records.size() < count && System.nanoTime() < deadline) {
            member.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        equal(count, records.size(), "records");
        return records;
    }

    private static void before(Fixture fixture) throws Exception {
        fixture.topic(TOPIC, 1);
        fixture.fill(TOPIC, 0, 10);
        var earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        var resource = new ConfigResource(ConfigResource.Type.GROUP, GROUP);
        fixture.admin.incrementalAlterConfigs(Map.of(resource, List.of(earliest))).all().get();
        var member = member(fixture);
        for (var record : some(member, 10)) {
            // 0 to 3 are done with, 4 and 5 may go to others, 6 is hopeless, and of 7, 8 and 9 nothing is said in the end.
            if (record.offset() < 4) {
                member.acknowledge(record);
            } else if (record.offset() < 6 || record.offset() > 6) {
                member.acknowledge(record, AcknowledgeType.RELEASE);
            } else {
                member.acknowledge(record, AcknowledgeType.REJECT);
            }
        }
        member.commitSync();
        var again = some(member, 5);
        equal((short) 2, again.get(0).deliveryCount().orElseThrow(), "deliveries of the first");
    }

    private static void after(Fixture fixture) throws Exception {
        var member = member(fixture);
        Map<Long, Integer> deliveries = new TreeMap<>();
        for (var record : some(member, 5)) {
            deliveries.put(record.offset(), (int) record.deliveryCount().orElseThrow());
            member.acknowledge(record);
        }
        equal(Set.of(4L, 5L, 7L, 8L, 9L), deliveries.keySet(), "what was not done with");
        that(deliveries.values().stream().allMatch(count -> count == 2), "deliveries that were written down, and this one: " + deliveries);
        member.commitSync();
        that(member.poll(Duration.ofMillis(1_000)).isEmpty(), "there is nothing more");
    }
}
