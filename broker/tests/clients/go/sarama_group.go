package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// member takes records until it has enough, marks them, and ends its session.
type member struct {
	wanted int
	found  []*sarama.ConsumerMessage
	done   context.CancelFunc
}

func (m *member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.found = append(m.found, message)
			session.MarkMessage(message, "")
			if len(m.found) == m.wanted {
				session.Commit()
				m.done()
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func (t *saramaChecks) member(topic string, wanted int) ([]*sarama.ConsumerMessage, error) {
	config := t.config()
	config.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup([]string{t.bootstrap}, t.name("group"), config)
	if err != nil {
		return nil, err
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m := &member{wanted: wanted, done: cancel}
	for ctx.Err() == nil && len(m.found) < wanted {
		if err := group.Consume(ctx, []string{topic}, m); err != nil {
			return m.found, err
		}
	}
	return m.found, equal(wanted, len(m.found), "records")
}

func (t *saramaChecks) group() error {
	topic, err := t.filled("group-topic", time.Now())
	if err != nil {
		return err
	}
	before, err := t.member(topic, 6)
	if err != nil {
		return fmt.Errorf("first member: %w", err)
	}
	after, err := t.member(topic, 4)
	if err != nil {
		return fmt.Errorf("second member: %w", err)
	}
	return first(equal(int64(0), before[0].Offset, "the first offset"), equal(int64(6), after[0].Offset, "the first after the commit"))
}
