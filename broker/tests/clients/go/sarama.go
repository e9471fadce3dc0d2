package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// saramaSuite exercises sarama: producers, partition consumers, a consumer group, its ClusterAdmin.
func saramaSuite(s *suite) {
	t := &saramaChecks{s}
	s.check("describe-cluster", t.cluster)
	s.check("create-describe-delete", t.createDescribeDelete)
	s.check("create-twice", t.createTwice)
	s.check("create-partitions", t.createPartitions)
	s.check("produce-acks-local", func() error {
		return t.produce("local", func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.WaitForLocal })
	})
	s.check("produce-acks-none", func() error {
		return t.produce("none", func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.NoResponse })
	})
	s.check("produce-idempotent", func() error {
		return t.produce("idempotent", func(c *sarama.Config) {
			c.Producer.Idempotent = true
			c.Net.MaxOpenRequests = 1
		})
	})
	for name, codec := range map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	} {
		s.check("compression-"+name, func() error {
			return t.produce("codec-"+name, func(c *sarama.Config) { c.Producer.Compression = codec })
		})
	}
	// An old client speaks old versions of every request.
	for _, version := range []sarama.KafkaVersion{sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0, sarama.V4_0_0_0} {
		s.check("protocol-of-"+version.String(), func() error {
			return t.produce("v"+version.String(), func(c *sarama.Config) { c.Version = version })
		})
	}
	s.check("headers-and-nulls", t.headers)
	s.check("offsets-by-time", t.offsets)
	s.check("configs", t.configs)
	s.check("delete-records", t.deleteRecords)
	s.check("group-one-member", t.group)
}

type saramaChecks struct{ *suite }

func (t *saramaChecks) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.ClientID = "thalweg-suite"
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	return config
}

func (t *saramaChecks) admin(body func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin([]string{t.bootstrap}, t.config())
	if err != nil {
		return err
	}
	defer admin.Close()
	return body(admin)
}

// topic creates a topic and waits until its leaders are known.
func (t *saramaChecks) topic(name string, partitions int32) (string, error) {
	topic := t.name(name)
	err := t.admin(func(admin sarama.ClusterAdmin) error {
		return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	})
	if err != nil {
		return topic, err
	}
	return topic, t.await(topic, int(partitions))
}

func (t *saramaChecks) await(topic string, partitions int) error {
	return t.admin(func(admin sarama.ClusterAdmin) error {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			described, err := admin.DescribeTopics([]string{topic})
			if err != nil {
				return err
			}
			ready := 0
			for _, partition := range described[0].Partitions {
				if partition.Err == sarama.ErrNoError && partition.Leader >= 0 {
					ready++
				}
			}
			if ready == partitions {
				return nil
			}
		}
		return errors.New("no leaders")
	})
}

func (t *saramaChecks) cluster() error {
	return t.admin(func(admin sarama.ClusterAdmin) error {
		brokers, controller, err := admin.DescribeCluster()
		if err != nil {
			return err
		}
		return first(equal(1, len(brokers), "brokers"), equal(t.bootstrap, brokers[0].Addr(), "address"), equal(true, controller >= 0, "there is a controller"))
	})
}

func (t *saramaChecks) createDescribeDelete() error {
	topic, err := t.topic("life", 2)
	if err != nil {
		return err
	}
	return t.admin(func(admin sarama.ClusterAdmin) error {
		topics, err := admin.ListTopics()
		if err != nil {
			return err
		}
		if err := equal(int32(2), topics[topic].NumPartitions, "partitions"); err != nil {
			return err
		}
		if err := admin.DeleteTopic(topic); err != nil {
			return err
		}
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if topics, err = admin.ListTopics(); err != nil {
				return err
			}
			if _, there := topics[topic]; !there {
				return nil
			}
		}
		return errors.New("it is still listed")
	})
}

func (t *saramaChecks) createTwice() error {
	topic, err := t.topic("twice", 1)
	if err != nil {
		return err
	}
	return t.admin(func(admin sarama.ClusterAdmin) error {
		err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
		return equal(true, errors.Is(err, sarama.ErrTopicAlreadyExists), fmt.Sprint("the error: ", err))
	})
}

func (t *saramaChecks) createPartitions() error {
	topic, err := t.topic("grow", 1)
	if err != nil {
		return err
	}
	err = t.admin(func(admin sarama.ClusterAdmin) error { return admin.CreatePartitions(topic, 4, nil, false) })
	return first(err, t.await(topic, 4))
}

// consume reads count records of one partition from the start.
func (t *saramaChecks) consume(topic string, partition int32, offset int64, count int) ([]*sarama.ConsumerMessage, error) {
	consumer, err := sarama.NewConsumer([]string{t.bootstrap}, t.config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	reader, err := consumer.ConsumePartition(topic, partition, offset)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	timeout := time.After(patience)
	var messages []*sarama.ConsumerMessage
	for len(messages) < count {
		select {
		case message := <-reader.Messages():
			messages = append(messages, message)
		case <-timeout:
			return nil, fmt.Errorf("%d of %d records came", len(messages), count)
		}
	}
	return messages, nil
}

func (t *saramaChecks) produce(name string, change func(*sarama.Config)) error {
	topic, err := t.topic("produce-"+name, 2)
	if err != nil {
		return err
	}
	config := t.config()
	change(config)
	producer, err := sarama.NewSyncProducer([]string{t.bootstrap}, config)
	if err != nil {
		return err
	}
	var batch []*sarama.ProducerMessage
	for i := range 200 {
		batch = append(batch, &sarama.ProducerMessage{Topic: topic, Partition: int32(i % 2), Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder(strconv.Itoa(i))})
	}
	if err := first(producer.SendMessages(batch), producer.Close()); err != nil {
		return err
	}
	for partition := range int32(2) {
		messages, err := t.consume(topic, partition, sarama.OffsetOldest, 100)
		if err != nil {
			return err
		}
		for i, message := range messages {
			if err := first(equal(int64(i), message.Offset, "offset"), equal(strconv.Itoa(i*2+int(partition)), string(message.Value), "value")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *saramaChecks) headers() error {
	topic, err := t.topic("headers", 1)
	if err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducer([]string{t.bootstrap}, t.config())
	if err != nil {
		return err
	}
	defer producer.Close()
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	sent := &sarama.ProducerMessage{Topic: topic, Timestamp: at, Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}}}
	if _, _, err := producer.SendMessage(sent); err != nil {
		return err
	}
	messages, err := t.consume(topic, 0, sarama.OffsetOldest, 1)
	if err != nil {
		return err
	}
	got := messages[0]
	return first(
		equal(true, got.Key == nil && got.Value == nil, "nulls"),
		equal(1, len(got.Headers), "headers"),
		equal("a=1", string(got.Headers[0].Key)+"="+string(got.Headers[0].Value), "the header"),
		equal(at.UnixMilli(), got.Timestamp.UnixMilli(), "timestamp"),
	)
}

// filled makes a topic with ten records, a second apart from `from` on.
func (t *saramaChecks) filled(name string, from time.Time) (string, error) {
	topic, err := t.topic(name, 1)
	if err != nil {
		return topic, err
	}
	producer, err := sarama.NewSyncProducer([]string{t.bootstrap}, t.config())
	if err != nil {
		return topic, err
	}
	defer producer.Close()
	for i := range 10 {
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(strconv.Itoa(i)), Timestamp: from.Add(time.Duration(i) * time.Second)}
		if _, offset, err := producer.SendMessage(message); first(err, equal(int64(i), offset, "offset")) != nil {
			return topic, first(err, equal(int64(i), offset, "offset"))
		}
	}
	return topic, nil
}

func (t *saramaChecks) offsets() error {
	from := time.Now().Add(-time.Hour)
	topic, err := t.filled("offsets", from)
	if err != nil {
		return err
	}
	client, err := sarama.NewClient([]string{t.bootstrap}, t.config())
	if err != nil {
		return err
	}
	defer client.Close()
	oldest, err1 := client.GetOffset(topic, 0, sarama.OffsetOldest)
	newest, err2 := client.GetOffset(topic, 0, sarama.OffsetNewest)
	between, err3 := client.GetOffset(topic, 0, from.Add(3500*time.Millisecond).UnixMilli())
	return first(err1, err2, err3, equal(int64(0), oldest, "oldest"), equal(int64(10), newest, "newest"), equal(int64(4), between, "after a time"))
}

func (t *saramaChecks) configs() error {
	topic, err := t.topic("configs", 1)
	if err != nil {
		return err
	}
	return t.admin(func(admin sarama.ClusterAdmin) error {
		value := "123456"
		err := admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
		}, false)
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
		if err != nil {
			return err
		}
		return first(equal(1, len(entries), "entries, when one key is asked for"), equal(value, entries[0].Value, "retention.ms"))
	})
}

func (t *saramaChecks) deleteRecords() error {
	topic, err := t.filled("delete-records", time.Now())
	if err != nil {
		return err
	}
	err = t.admin(func(admin sarama.ClusterAdmin) error { return admin.DeleteRecords(topic, map[int32]int64{0: 4}) })
	if err != nil {
		return err
	}
	messages, err := t.consume(topic, 0, sarama.OffsetOldest, 6)
	if err != nil {
		return err
	}
	_, tooOld := t.consume(topic, 0, 1, 1)
	return first(equal(int64(4), messages[0].Offset, "the first that is left"), equal(true, errors.Is(tooOld, sarama.ErrOffsetOutOfRange), fmt.Sprint("below it: ", tooOld)))
}
