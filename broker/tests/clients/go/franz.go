package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type franzSuite struct {
	*suite
	admin *kadm.Client
}

// franz exercises franz-go: kgo for records and groups, kadm for administration, kmsg for single requests.
func franz(s *suite) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	f := &franzSuite{s, kadm.NewClient(client)}
	s.check("ping", func() error { return client.Ping(context.Background()) })
	s.check("api-versions", f.apiVersions)
	s.check("metadata", f.metadata)
	s.check("create-describe-delete", f.createDescribeDelete)
	s.check("create-errors", f.createErrors)
	s.check("create-partitions", f.createPartitions)
	s.check("produce-idempotent", func() error { return f.produce("idempotent") })
	s.check("produce-acks-leader", func() error {
		return f.produce("leader", kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	})
	s.check("produce-acks-none", func() error {
		return f.produce("none", kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	})
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		s.check("compression-"+name, func() error {
			return f.produce("codec-"+name, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(10*time.Millisecond))
		})
	}
	s.check("record-fields", f.fields)
	s.check("auto-create", f.autoCreate)
	s.check("consume-from-offset-and-end", f.offsets)
	s.check("consume-read-committed", f.readCommitted)
	s.check("fetch-sessions-off", func() error { return f.produce("sessionless", kgo.MaxConcurrentFetches(1)) })
	s.check("list-offsets", f.listOffsets)
	s.check("delete-records", f.deleteRecords)
	s.check("configs", f.configs)
	s.check("log-dirs", f.logDirs)
	s.check("offset-for-leader-epoch", f.leaderEpoch)
	s.check("group-one-member", f.group)
	s.check("group-commit-offsets-by-admin", f.commitByAdmin)
}

func (f *franzSuite) client(options ...kgo.Opt) (*kgo.Client, error) {
	// No RecordDeliveryTimeout: it counts from a record's own timestamp, and some here are old. Contexts bound every wait.
	base := []kgo.Opt{kgo.SeedBrokers(f.bootstrap), kgo.FetchMaxWait(100 * time.Millisecond)}
	return kgo.NewClient(append(base, options...)...)
}

func deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// topic creates a topic and waits until its leaders are known.
func (f *franzSuite) topic(name string, partitions int32, configs map[string]*string) (string, error) {
	ctx, cancel := deadline()
	defer cancel()
	topic := f.name(name)
	if _, err := f.admin.CreateTopic(ctx, partitions, 1, configs, topic); err != nil {
		return topic, err
	}
	return topic, f.await(ctx, topic, int(partitions))
}

func (f *franzSuite) await(ctx context.Context, topic string, partitions int) error {
	for {
		topics, err := f.admin.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		ready := 0
		for _, partition := range topics[topic].Partitions {
			if partition.Err == nil && partition.Leader >= 0 {
				ready++
			}
		}
		if ready == partitions {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (f *franzSuite) apiVersions() error {
	ctx, cancel := deadline()
	defer cancel()
	versions, err := f.admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	for _, broker := range versions {
		if broker.Err != nil {
			return broker.Err
		}
		if max, ok := broker.KeyMaxVersion(0); !ok || max < 9 {
			return fmt.Errorf("Produce up to version %d", max)
		}
	}
	return equal(1, len(versions), "brokers")
}

func (f *franzSuite) metadata() error {
	ctx, cancel := deadline()
	defer cancel()
	metadata, err := f.admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if metadata.Cluster == "" {
		return errors.New("no cluster id")
	}
	broker := metadata.Brokers[0]
	return first(equal(1, len(metadata.Brokers), "brokers"), equal(f.bootstrap, fmt.Sprintf("%s:%d", broker.Host, broker.Port), "address"))
}

func (f *franzSuite) createDescribeDelete() error {
	topic, err := f.topic("life", 3, nil)
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	topics, err := f.admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if topics[topic].ID == (kadm.TopicID{}) {
		return errors.New("no topic id")
	}
	if _, err := f.admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	for ctx.Err() == nil {
		topics, err = f.admin.ListTopics(ctx)
		if err != nil {
			return err
		}
		if !topics.Has(topic) {
			return nil
		}
	}
	return errors.New("it is still listed")
}

func (f *franzSuite) createErrors() error {
	ctx, cancel := deadline()
	defer cancel()
	topic, err := f.topic("twice", 1, nil)
	if err != nil {
		return err
	}
	_, twice := f.admin.CreateTopic(ctx, 1, 1, nil, topic)
	_, invalid := f.admin.CreateTopic(ctx, 1, 1, nil, "not a topic")
	_, unknown := f.admin.DeleteTopic(ctx, f.name("nowhere"))
	return first(
		equal(true, errors.Is(twice, kerr.TopicAlreadyExists), fmt.Sprint("created twice: ", twice)),
		equal(true, errors.Is(invalid, kerr.InvalidTopicException), fmt.Sprint("an invalid name: ", invalid)),
		equal(true, errors.Is(unknown, kerr.UnknownTopicOrPartition), fmt.Sprint("deleting what is not there: ", unknown)),
	)
}

func (f *franzSuite) createPartitions() error {
	topic, err := f.topic("grow", 1, nil)
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	answers, err := f.admin.UpdatePartitions(ctx, 3, topic)
	if err != nil {
		return err
	}
	return first(answers[topic].Err, f.await(ctx, topic, 3))
}

func (f *franzSuite) listOffsets() error {
	from := time.Now().Add(-time.Hour)
	topic, err := f.filled("list-offsets", from)
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	start, err1 := f.admin.ListStartOffsets(ctx, topic)
	end, err2 := f.admin.ListEndOffsets(ctx, topic)
	committed, err3 := f.admin.ListCommittedOffsets(ctx, topic)
	after, err4 := f.admin.ListOffsetsAfterMilli(ctx, from.Add(3500*time.Millisecond).UnixMilli(), topic)
	newest, err5 := f.admin.ListMaxTimestampOffsets(ctx, topic)
	if err := first(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	return first(
		equal(int64(0), start[topic][0].Offset, "start"),
		equal(int64(10), end[topic][0].Offset, "end"),
		equal(int64(10), committed[topic][0].Offset, "committed"),
		equal(int64(4), after[topic][0].Offset, "after a time"),
		equal(int64(9), newest[topic][0].Offset, "the newest"),
	)
}

func (f *franzSuite) deleteRecords() error {
	topic, err := f.filled("delete-records", time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 6})
	answers, err := f.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return err
	}
	start, err := f.admin.ListStartOffsets(ctx, topic)
	return first(err, answers.Error(), equal(int64(6), answers[topic][0].LowWatermark, "low watermark"), equal(int64(6), start[topic][0].Offset, "start"))
}

func (f *franzSuite) configs() error {
	topic, err := f.topic("configs", 1, map[string]*string{"retention.ms": kadm.StringPtr("60000")})
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	altered, err := f.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "segment.bytes", Value: kadm.StringPtr("2097152")}}, topic)
	if err != nil {
		return err
	}
	// The old API replaces all that the topic has.
	replaced, err := f.admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "segment.bytes", Value: kadm.StringPtr("4194304")}}, topic)
	if err := first(err, altered[0].Err, replaced[0].Err); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond)
	described, err := f.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, config := range described[0].Configs {
		values[config.Key] = config.MaybeValue()
	}
	return first(described[0].Err, equal("4194304", values["segment.bytes"], "segment.bytes"), equal("604800000", values["retention.ms"], "retention.ms"))
}

func (f *franzSuite) logDirs() error {
	topic, err := f.filled("dirs", time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	dirs, err := f.admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{topic: {0: struct{}{}}})
	if err != nil {
		return err
	}
	found := 0
	dirs.Each(func(dir kadm.DescribedLogDir) {
		err = first(err, dir.Err)
		dir.Topics.Each(func(partition kadm.DescribedLogDirPartition) {
			if partition.Topic == topic && partition.Size > 0 {
				found++
			}
		})
	})
	return first(err, equal(1, found, "directories that hold it"))
}

func (f *franzSuite) leaderEpoch() error {
	topic, err := f.filled("epochs", time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	client, err := f.client(kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	records, err := poll(client, 10)
	if err != nil {
		return err
	}
	request := kmsg.NewPtrOffsetForLeaderEpochRequest()
	request.ReplicaID = -1
	part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	part.CurrentLeaderEpoch = -1
	part.LeaderEpoch = records[9].LeaderEpoch
	of := kmsg.NewOffsetForLeaderEpochRequestTopic()
	of.Topic = topic
	of.Partitions = append(of.Partitions, part)
	request.Topics = append(request.Topics, of)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	got := answer.Topics[0].Partitions[0]
	return first(kerr.ErrorForCode(got.ErrorCode), equal(int64(10), got.EndOffset, "end of the epoch"), equal(part.LeaderEpoch, got.LeaderEpoch, "epoch"))
}

func (f *franzSuite) group() error {
	topic, err := f.filled("group", time.Now())
	if err != nil {
		return err
	}
	options := []kgo.Opt{kgo.ConsumerGroup(f.name("g")), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit()}
	ctx, cancel := deadline()
	defer cancel()
	client, err := f.client(options...)
	if err != nil {
		return err
	}
	records, err := poll(client, 10)
	if err == nil {
		err = client.CommitRecords(ctx, records[:6]...)
	}
	client.Close()
	if err != nil {
		return err
	}
	client, err = f.client(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	records, err = poll(client, 4)
	if err != nil {
		return err
	}
	return equal(int64(6), records[0].Offset, "the first after the commit")
}

func (f *franzSuite) commitByAdmin() error {
	topic, err := f.filled("admin-commit", time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := deadline()
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 5, LeaderEpoch: -1, Metadata: "note"})
	if err := f.admin.CommitAllOffsets(ctx, f.name("admin-g"), offsets); err != nil {
		return err
	}
	fetched, err := f.admin.FetchOffsets(ctx, f.name("admin-g"))
	if err != nil {
		return err
	}
	found, ok := fetched.Lookup(topic, 0)
	return first(equal(true, ok, "the offset is there"), equal(int64(5), found.At, "offset"), equal("note", found.Metadata, "metadata"))
}
