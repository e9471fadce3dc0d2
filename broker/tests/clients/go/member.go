package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The members of groups in members.rs: `suite member-franz|member-sarama BOOTSTRAP TOPIC GROUP`. Records are taken one by one,
// and each is committed.

const (
	heartbeat = 300 * time.Millisecond
	session   = 30 * time.Second
)

func say(what string, partition int32, offset int64, value string) {
	fmt.Println(what, time.Now().UnixMicro(), partition, offset, value)
}

func untilTerminated() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM)
}

func franzMember(bootstrap, topic, group string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.DisableAutoCommit(),
		// What is being worked on is not taken away meanwhile.
		kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(heartbeat),
		kgo.SessionTimeout(session),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return err
	}
	ctx, stop := untilTerminated()
	defer stop()
	for ctx.Err() == nil {
		polled, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := client.PollRecords(polled, 1)
		cancel()
		for _, record := range fetches.Records() {
			say("seen", record.Partition, record.Offset, string(record.Value))
			if client.CommitRecords(context.Background(), record) == nil {
				say("committed", record.Partition, record.Offset+1, "")
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	return nil
}

type saramaMember struct{}

func (saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case message, open := <-claim.Messages():
			if !open || session.Context().Err() != nil {
				return nil
			}
			say("seen", message.Partition, message.Offset, string(message.Value))
			session.MarkMessage(message, "")
			session.Commit()
			// Whether it was taken is not told: where the session goes on, it was.
			if session.Context().Err() == nil {
				say("committed", message.Partition, message.Offset+1, "")
			}
		}
	}
}

func saramaMemberOf(bootstrap, topic, group string) error {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = heartbeat
	config.Consumer.Group.Session.Timeout = session
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	member, err := sarama.NewConsumerGroup([]string{bootstrap}, group, config)
	if err != nil {
		return err
	}
	ctx, stop := untilTerminated()
	defer stop()
	for ctx.Err() == nil {
		// Ends with each rebalance. Errors tell of a coordinator that has moved.
		if err := member.Consume(ctx, []string{topic}, saramaMember{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	return member.Close()
}

// runMember is true where the first argument named a member; its process ends with it.
func runMember(arguments []string) bool {
	members := map[string]func(string, string, string) error{"member-franz": franzMember, "member-sarama": saramaMemberOf}
	run, known := members[arguments[0]]
	if !known || len(arguments) != 4 {
		return false
	}
	if err := run(arguments[1], arguments[2], arguments[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}
