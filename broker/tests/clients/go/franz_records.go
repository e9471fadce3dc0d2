package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// poll gathers count records.
func poll(client *kgo.Client, count int) ([]*kgo.Record, error) {
	ctx, cancel := deadline()
	defer cancel()
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, equal(count, len(records), "records polled")
}

// produce writes 300 records with these options over three partitions, and reads all back in order.
func (f *franzSuite) produce(name string, options ...kgo.Opt) error {
	topic, err := f.topic("produce-"+name, 3, nil)
	if err != nil {
		return err
	}
	client, err := f.client(append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics(topic))...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := deadline()
	defer cancel()
	var batch []*kgo.Record
	for i := range 300 {
		value := append([]byte(strconv.Itoa(i)), bytes.Repeat([]byte(" padding"), i%40)...)
		batch = append(batch, &kgo.Record{Topic: topic, Partition: int32(i % 3), Value: value})
	}
	if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return err
	}
	records, err := poll(client, 300)
	if err != nil {
		return err
	}
	next := map[int32]int64{}
	for _, record := range records {
		if err := equal(next[record.Partition], record.Offset, "offset"); err != nil {
			return err
		}
		next[record.Partition]++
		sent := batch[int(record.Offset)*3+int(record.Partition)]
		if !bytes.Equal(sent.Value, record.Value) {
			return fmt.Errorf("at %d-%d: %q instead of %q", record.Partition, record.Offset, record.Value, sent.Value)
		}
	}
	return nil
}

func (f *franzSuite) fields() error {
	topic, err := f.topic("fields", 1, nil)
	if err != nil {
		return err
	}
	client, err := f.client(kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := deadline()
	defer cancel()
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	sent := []*kgo.Record{
		{Topic: topic, Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "n", Value: nil}}},
		{Topic: topic},
		{Topic: topic, Key: []byte{}, Value: []byte{}},
		{Topic: topic, Value: bytes.Repeat([]byte("x"), 900_000)},
	}
	if err := client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return err
	}
	read, err := poll(client, len(sent))
	if err != nil {
		return err
	}
	return first(
		equal(at.UnixMilli(), read[0].Timestamp.UnixMilli(), "timestamp"),
		equal(2, len(read[0].Headers), "headers"),
		equal("1", string(read[0].Headers[0].Value), "the first header"),
		equal(true, read[0].Headers[1].Value == nil, "a null header"),
		equal(true, read[1].Key == nil && read[1].Value == nil, "nulls"),
		equal(true, read[2].Key != nil && read[2].Value != nil, "empties"),
		equal(900_000, len(read[3].Value), "a large value"),
	)
}

func (f *franzSuite) autoCreate() error {
	topic := f.name("auto")
	client, err := f.client(kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics(topic), kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(50))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := deadline()
	defer cancel()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
		return err
	}
	_, err = poll(client, 1)
	return err
}

// filled makes a topic of one partition with ten records, a second apart from `from` on, in a batch each.
func (f *franzSuite) filled(name string, from time.Time) (string, error) {
	topic, err := f.topic(name, 1, nil)
	if err != nil {
		return topic, err
	}
	client, err := f.client()
	if err != nil {
		return topic, err
	}
	defer client.Close()
	ctx, cancel := deadline()
	defer cancel()
	for i := range 10 {
		record := &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i)), Timestamp: from.Add(time.Duration(i) * time.Second)}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return topic, err
		}
	}
	return topic, nil
}

func (f *franzSuite) offsets() error {
	topic, err := f.filled("offsets", time.Now().Add(-time.Hour))
	if err != nil {
		return err
	}
	for name, offset := range map[string]kgo.Offset{
		"at":         kgo.NewOffset().At(7),
		"relative":   kgo.NewOffset().AtEnd().Relative(-3),
		"by time":    kgo.NewOffset().AfterMilli(time.Now().Add(-time.Hour).Add(6500 * time.Millisecond).UnixMilli()),
		"with epoch": kgo.NewOffset().At(7).WithEpoch(0),
	} {
		client, err := f.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: offset}}))
		if err != nil {
			return err
		}
		records, err := poll(client, 3)
		client.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := equal(int64(7), records[0].Offset, name); err != nil {
			return err
		}
	}
	return nil
}

func (f *franzSuite) readCommitted() error {
	topic, err := f.filled("committed", time.Now())
	if err != nil {
		return err
	}
	client, err := f.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = poll(client, 10)
	return err
}
