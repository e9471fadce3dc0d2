import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;

/** Writes the batches that protocol/tests/golden.rs reads: `java -cp kafka-clients.jar:codec jars Golden.java DIR`. */
public class Golden {
    public static void main(String[] args) throws Exception {
        for (CompressionType type : CompressionType.values())
            write(args[0], "java-" + type.name, batch(Compression.of(type).build(), 40));
        write(args[0], "java-large-snappy", batch(Compression.of(CompressionType.SNAPPY).build(), 1500));
        write(args[0], "java-large-lz4", batch(Compression.of(CompressionType.LZ4).build(), 1500));
        MemoryRecords marker = MemoryRecords.withEndTransactionMarker(0L, 1_700_000_000_000L, -1, 77L, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 9));
        write(args[0], "java-commit-marker", marker.buffer());
    }

    static ByteBuffer batch(Compression compression, int count) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.MAGIC_VALUE_V2, compression,
            TimestampType.CREATE_TIME, 0L, RecordBatch.NO_TIMESTAMP, 4711L, (short) 2, 100, false, -1);
        for (int i = 0; i < count; i++) {
            byte[] key = i % 3 == 0 ? null : ("key-" + i).getBytes(StandardCharsets.UTF_8);
            byte[] value = i % 7 == 6 ? null : ("value " + i + " of a batch that a real client wrote").getBytes(StandardCharsets.UTF_8);
            Header[] headers = i % 5 == 0 ? new Header[] {new RecordHeader("trace", ("t" + i).getBytes()), new RecordHeader("empty", null)} : new Header[0];
            builder.append(1_700_000_000_000L + (i % 4) * 1000 - i, key, value, headers);
        }
        return builder.build().buffer();
    }

    static void write(String dir, String name, ByteBuffer buffer) throws Exception {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        Files.write(Path.of(dir, name + ".batch"), bytes);
    }
}
