//! The power goes at every step of a pass, and what comes back is the log before it or after it, never in between.

use super::*;

/// The same history each time, compacted once already so that generations differ; then power is cut in the second pass.
fn cut_after(turns: u64, seed: u64) -> bool {
    let sim = SimDisk::new(seed);
    let mut random = SimRandom::new(7);
    let mut history = History::new(7);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = running.create(1);
    log.borrow_mut().set_config(compacted());
    for pass in 0..2 {
        for _ in 0..120 {
            history.step(&mut running, &log, &mut random);
        }
        history.pass_time(&mut running, 100_000);
        running.settle();
        history.commit(&log);
        running.run(flush(&log, FlushMode::FullBlocks)).unwrap();
        if pass == 0 {
            history.compact(&mut running);
        }
    }
    sim.set_faults(SimFaults { write_delay_polls_max: 2, one_at_a_time: true, ..SimFaults::default() });
    history.note_pass(&running);
    let (store, now) = (running.store.clone(), history.now);
    let done = std::rc::Rc::new(Cell::new(false));
    let ended = std::rc::Rc::clone(&done);
    running.begin(turns, async move {
        store.compact(now).await.unwrap_or_default();
        ended.set(true);
    });
    sim.power_cut();
    drop(running);
    sim.set_faults(SimFaults::default());
    for _ in 0..2 {
        let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
        let log = running.store.log(GroupId(1)).unwrap();
        log.borrow_mut().set_config(compacted());
        history.commit(&log);
        history.pass_time(&mut running, 0);
        history.verify(&mut running, &log, &mut random);
        // A pass over what was found, and whatever it left behind.
        history.compact(&mut running);
        history.verify(&mut running, &log, &mut random);
        sim.power_cut();
    }
    done.get()
}

#[test]
fn power_goes_at_every_step() {
    let mut turns = 0;
    // A step further each time, with another choice of what is lost, until the pass is through.
    while !cut_after(turns, turns) {
        turns += 1;
        assert!(turns < 5000, "a pass does not end");
    }
    assert!(turns > 50, "a pass has many steps, these were {turns}");
}
