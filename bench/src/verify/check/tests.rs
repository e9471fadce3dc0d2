//! Each way in which a broker can fail its clients, planted into a history that is otherwise right.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

/// What lies at one offset, `None` for nothing.
pub(super) type Slot = Option<Result<Name, Unreadable>>;

pub(super) const IDEMPOTENT: Rules = Rules { idempotent: true, ordered: true, committed: true };
pub(super) const PLAIN: Rules = Rules { idempotent: false, ordered: true, committed: true };
pub(super) const UNORDERED: Rules = Rules { ordered: false, ..PLAIN };

const fn name(producer: u32, sequence: u64) -> Name {
    Name { producer, partition: 0, sequence }
}

pub(super) fn slot(producer: u32, sequence: u64) -> Slot {
    Some(Ok(name(producer, sequence)))
}

pub(super) const fn batch(producer: u32, first: u64, count: u64) -> Batch {
    Batch { producer, partition: 0, first, count }
}

/// A partition that can be tampered with, and its checker.
pub(super) struct World {
    pub(super) checker: Checker,
    pub(super) log: Vec<Slot>,
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        Self { checker: Checker::new(rules, 2, &[0]), log: Vec::new() }
    }

    /// Sends and appends; gives the base offset.
    pub(super) fn append(&mut self, batch: Batch) -> i64 {
        self.checker.send(batch);
        let base = self.log.len() as i64;
        self.log.extend((batch.first..batch.first + batch.count).map(|sequence| slot(batch.producer, sequence)));
        base
    }

    pub(super) fn write(&mut self, batch: Batch) {
        let base = self.append(batch);
        self.checker.acknowledge(batch, Some(base));
    }

    /// Reads everything, as a reader that starts over.
    pub(super) fn read(&mut self) {
        let mut pass = self.checker.pass(0);
        let floor = self.checker.asked(0);
        self.checker.answered(0, floor, self.log.len() as i64);
        self.read_from(&mut pass);
    }

    pub(super) fn read_from(&mut self, pass: &mut Pass) {
        let from = pass.ask();
        for (offset, slot) in self.log.iter().enumerate().skip(from as usize) {
            if let Some(record) = slot {
                self.checker.read(0, pass, offset as i64, record.clone());
            }
        }
    }

    pub(super) fn end(&mut self) -> Vec<Kind> {
        self.read();
        let end = self.log.len() as i64;
        self.checker.finish(0, end);
        self.kinds()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.checker.violations.counts.keys().copied().collect()
    }

    fn only(&self) -> &Violation {
        assert_eq!(self.checker.violations.list.len(), 1, "{:#?}", self.checker.violations);
        &self.checker.violations.list[0]
    }
}

/// Two producers, three batches each, in turn: 30 records.
fn written(rules: Rules) -> World {
    let mut world = World::new(rules);
    for round in 0..3 {
        world.write(batch(0, round * 5, 5));
        world.write(batch(1, round * 5, 5));
    }
    world
}

#[test]
fn a_broker_that_keeps_its_word_is_not_blamed() {
    for rules in [IDEMPOTENT, PLAIN, UNORDERED] {
        let mut world = written(rules);
        world.read();
        assert_eq!(world.end(), []);
        assert_eq!(world.checker.tally, Tally { acknowledged: 30, seen: 30, seen_again: 30, ..Tally::default() });
    }
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_lost() {
    // The end of the partition.
    let mut world = written(IDEMPOTENT);
    let floor = world.checker.asked(0);
    world.log.truncate(27);
    world.checker.answered(0, floor, 27);
    assert_eq!(world.end(), [Kind::Lost, Kind::WatermarkBack]);
    let lost = world.checker.violations.list.iter().find(|violation| violation.kind == Kind::Lost).unwrap();
    assert_eq!((lost.offset, lost.count), (Some(27), 3));
    assert!(lost.found.contains("ends at 27"), "{lost:?}");
    // A batch whose place another has taken, whose own batch was never acknowledged.
    let mut world = written(IDEMPOTENT);
    world.checker.send(batch(0, 15, 5));
    (0..5).for_each(|at| world.log[25 + at] = slot(0, 15 + at as u64));
    assert_eq!(world.end(), [Kind::Lost]);
    let lost = world.only();
    assert_eq!((lost.offset, lost.count), (Some(25), 5));
    assert!(lost.expected.contains("record 10 of producer 1") && lost.found.contains("record 15 of producer 0"));
}

#[test]
fn an_acknowledgement_that_nothing_follows_is_found() {
    let mut world = World::new(IDEMPOTENT);
    world.checker.send(batch(0, 0, 10));
    world.checker.acknowledge(batch(0, 0, 10), Some(0));
    assert!(world.end().contains(&Kind::Lost));
    assert_eq!(world.checker.violations.counts[&Kind::Lost], 10);
}

#[test]
fn a_record_may_stand_once_with_idempotence() {
    let mut world = written(IDEMPOTENT);
    world.append(batch(0, 10, 5));
    assert_eq!(world.end(), [Kind::Duplicate]);
    let duplicate = world.only();
    assert_eq!((duplicate.offset, duplicate.count), (Some(30), 5));
    assert!(duplicate.found.contains("record 10 of producer 0") && duplicate.found.contains("2th"), "{duplicate:?}");
    // Also one that was never acknowledged.
    let mut world = written(IDEMPOTENT);
    world.append(batch(0, 15, 5));
    assert_eq!(world.end(), []);
    world.append(batch(0, 15, 5));
    assert_eq!(world.end(), [Kind::Duplicate]);
}

#[test]
fn without_idempotence_a_record_may_stand_as_often_as_it_was_sent() {
    let mut world = written(PLAIN);
    world.append(batch(0, 10, 5));
    assert_eq!(world.end(), []);
    assert_eq!(world.checker.tally.repeated, 5);
    // Once more than sent.
    world.log.push(slot(0, 12));
    assert_eq!(world.end(), [Kind::Duplicate]);
    assert!(world.only().expected.contains("2 times"), "{:?}", world.only());
    // Another batch was sent once.
    world.log.push(slot(1, 0));
    world.end();
    assert_eq!(world.checker.violations.counts[&Kind::Duplicate], 2);
}

#[test]
fn records_stand_in_the_order_of_sending() {
    let mut world = World::new(IDEMPOTENT);
    [batch(0, 0, 5), batch(0, 5, 5)].into_iter().for_each(|batch| {
        world.append(batch);
    });
    world.log.rotate_left(5);
    assert_eq!(world.end(), [Kind::Reordered]);
    assert_eq!((world.only().offset, world.only().count), (Some(5), 5));
    assert!(world.only().found.contains("record 0 of producer 0 for partition 0 behind record 9"));
    // Where no order is promised, it is counted.
    let mut world = World::new(UNORDERED);
    world.append(batch(0, 0, 5));
    world.append(batch(0, 5, 5));
    world.log.rotate_left(5);
    assert_eq!(world.end(), []);
    assert_eq!(world.checker.tally.out_of_order, 5);
}

#[test]
fn a_record_stands_where_it_was_acknowledged() {
    let mut world = World::new(IDEMPOTENT);
    world.write(batch(0, 0, 5));
    world.append(batch(1, 0, 5));
    world.append(batch(0, 5, 5));
    world.checker.acknowledge(batch(0, 5, 5), Some(5));
    world.checker.acknowledge(batch(1, 0, 5), Some(10));
    assert_eq!(world.end(), [Kind::Moved]);
    assert_eq!(world.checker.violations.counts[&Kind::Moved], 10);
    assert!(world.checker.violations.list[0].found.contains("the record at 10"), "{:?}", world.checker.violations);
}

#[test]
fn other_bytes_are_found() {
    let mut world = written(IDEMPOTENT);
    world.log[7] = Some(Err(Unreadable::Damaged("byte 9".to_owned())));
    assert_eq!(world.end(), [Kind::Damaged]);
    assert_eq!(world.only().offset, Some(7));
    assert!(world.only().expected.contains("record 2 of producer 1"), "{:?}", world.only());
}

#[test]
fn every_offset_holds_a_record() {
    let mut world = World::new(IDEMPOTENT);
    world.write(batch(0, 0, 5));
    world.log.extend([None, None]);
    world.write(batch(0, 5, 5));
    assert_eq!(world.end(), [Kind::Gap]);
    assert_eq!((world.only().offset, world.only().count), (Some(5), 2));
    // Offsets that go back within a reading.
    let mut world = written(IDEMPOTENT);
    let mut pass = world.checker.pass(0);
    for offset in [0, 1, 0] {
        world.checker.read(0, &mut pass, offset, Ok(name(0, offset as u64)));
    }
    assert_eq!(world.kinds(), [Kind::Gap]);
    assert!(world.only().found.contains("offset 0 again"));
}

#[test]
fn the_batch_that_holds_the_offset_asked_for_may_begin_before_it() {
    let mut world = written(IDEMPOTENT);
    let mut pass = world.checker.pass(0);
    world.checker.read(0, &mut pass, 0, Ok(name(0, 0)));
    assert_eq!(pass.ask(), 1);
    world.checker.read(0, &mut pass, 0, Ok(name(0, 0)));
    world.checker.read(0, &mut pass, 1, Ok(name(0, 1)));
    assert_eq!((world.kinds(), pass.next()), (vec![], 2));
}

#[test]
fn what_nobody_wrote_is_foreign() {
    let other = Name { partition: 1, ..name(0, 15) };
    let planted = [
        Some(Err(Unreadable::Foreign("hello".to_owned()))),
        Some(Ok(other)),
        slot(0, 15), // not sent yet
        slot(7, 0),  // no such producer
    ];
    for slot in planted {
        let mut world = written(IDEMPOTENT);
        world.log.push(slot.clone());
        assert_eq!(world.end(), [Kind::Foreign], "{slot:?}");
        assert_eq!(world.only().offset, Some(30));
    }
}

#[test]
fn what_was_read_once_stays() {
    // Another record.
    let mut world = written(IDEMPOTENT);
    world.read();
    world.checker.send(batch(0, 15, 1));
    world.log[29] = slot(0, 15);
    assert_eq!(world.end(), [Kind::Lost, Kind::Changed]);
    assert_eq!(world.checker.violations.total(), 2, "a second reading must not count it again");
    // Nothing.
    let mut world = written(IDEMPOTENT);
    world.read();
    world.log[12] = None;
    assert_eq!(world.end(), [Kind::Lost, Kind::Gone]);
    assert_eq!(world.end(), [Kind::Lost, Kind::Gone]);
    // Other bytes.
    let mut world = written(IDEMPOTENT);
    world.read();
    world.log[12] = Some(Err(Unreadable::Damaged("byte 9".to_owned())));
    assert_eq!(world.end(), [Kind::Changed]);
    // No end any more.
    let mut world = written(IDEMPOTENT);
    world.read();
    world.checker.out_of_range(0, 28);
    assert_eq!(world.kinds(), [Kind::Gone]);
}

#[test]
fn a_high_watermark_does_not_go_back() {
    let mut world = written(IDEMPOTENT);
    let (early, floor) = (Floor { watermark: 0, acknowledged: 0 }, world.checker.asked(0));
    world.checker.answered(0, floor, 30);
    // An answer to a question from before may be older.
    world.checker.answered(0, early, 10);
    assert_eq!(world.kinds(), []);
    let floor = world.checker.asked(0);
    world.checker.answered(0, floor, 29);
    assert_eq!(world.kinds(), [Kind::WatermarkBack]);
    assert!(world.only().expected.contains("at least 30"), "{:?}", world.only());
    // What was acknowledged by all lies below it; what only the leader acknowledged need not, yet.
    for (rules, expected) in [(PLAIN, vec![Kind::WatermarkBack]), (Rules { committed: false, ..PLAIN }, vec![])] {
        let mut world = written(rules);
        let floor = world.checker.asked(0);
        world.checker.answered(0, floor, 29);
        assert_eq!(world.kinds(), expected);
    }
}

#[test]
fn an_offset_is_acknowledged_once() {
    let mut world = written(IDEMPOTENT);
    world.checker.send(batch(0, 15, 5));
    world.checker.acknowledge(batch(0, 15, 5), Some(28));
    assert_eq!(world.kinds(), [Kind::PromisedTwice]);
    assert!(world.only().found.contains("producer 1") && world.only().expected.contains("producer 0"));
    // It is a promise all the same.
    assert!(world.end().contains(&Kind::Lost));
    assert_eq!(world.checker.violations.counts[&Kind::Lost], 5);
}

#[test]
fn an_acknowledgement_without_an_offset_promises_that_the_records_are_there() {
    let mut world = written(IDEMPOTENT);
    world.append(batch(0, 15, 5));
    world.checker.acknowledge(batch(0, 15, 5), None);
    assert_eq!(world.end(), []);
    world.checker.send(batch(0, 20, 5));
    world.checker.acknowledge(batch(0, 20, 5), None);
    world.log.push(slot(0, 20));
    assert_eq!(world.end(), [Kind::Lost]);
    assert_eq!(world.only().count, 4);
}

#[test]
fn refused_sequences_and_unreadable_offsets_are_told_with_their_evidence() {
    let mut world = written(IDEMPOTENT);
    world.checker.refuse(batch(0, 15, 5), "OUT_OF_ORDER_SEQUENCE_NUMBER");
    world.checker.unreadable(0, 12, "nothing came".to_owned());
    assert_eq!(world.kinds(), [Kind::SequenceRefused, Kind::Unreadable]);
    assert!(world.checker.violations.list[0].expected.contains("records 15 to 19 of producer 0"));
}

#[test]
fn the_list_is_capped_and_the_counts_are_not() {
    let mut world = World::new(IDEMPOTENT);
    world.checker.send(batch(0, 0, 2000));
    for sequence in 0..1000 {
        // Every other offset is nothing.
        world.log.extend([slot(0, sequence), None]);
    }
    world.end();
    // A kind that comes late is told all the same.
    world.checker.unreadable(0, 12, "nothing came".to_owned());
    let violations = &world.checker.violations;
    let listed = |kind| violations.list.iter().filter(|violation| violation.kind == kind).count();
    assert_eq!((listed(Kind::Gap), listed(Kind::Unreadable)), (20, 1));
    assert_eq!(violations.counts[&Kind::Gap], 999);
}
