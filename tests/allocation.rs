//! After the first sequence the engine allocates nothing: a counting allocator watches it.

use sparse_rtrl::experiment;
use sparse_rtrl::learner::sequence::Sequence;
use sparse_rtrl::learner::sequence::{LossAt, SequenceLearner, SequenceLearnerSpec, Update};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    // A thread that is being torn down may still free and allocate; nobody asks for its count.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed on unchanged to the system allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn spec(rule: &str, update: Update) -> SequenceLearnerSpec {
    let mut spec = SequenceLearnerSpec::new(2, 8, 2);
    spec.network.layers.push(spec.network.layers[0].clone());
    spec.network.trace = Some(0.9);
    spec.mask.sparsity = 0.5;
    spec.clip = Some(1.0);
    spec.rule = rule.into();
    spec.update = update;
    spec
}

fn sequence(seed: usize) -> Sequence<f64> {
    let inputs = (0..2 * 17).map(|k| ((k * k + seed) as f64).sin()).collect();
    Sequence { inputs, width: 2, classes: vec![Some(seed % 2); 17], judged_from: 16 }
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1; 10]))) > 0);
}

#[test]
fn learning_from_batches_allocates_nothing_after_the_first() {
    for rule in rule::registry::<f64>() {
        for update in [Update::Sequence, Update::Steps(3)] {
            let spec =
                SequenceLearnerSpec { loss: Loss::CrossEntropy, streams: 4, ..spec(&rule.name, update) };
            // One thread: what is watched is the engine, not the scheduler.
            let count: sparse_rtrl::Result<u64> = experiment::pool(1).unwrap().install(|| {
                let mut learner = SequenceLearner::<f64>::new(&spec, 1)?;
                let sequences: Vec<_> = (0..4).map(sequence).collect();
                let batch: Vec<_> = sequences.iter().collect();
                learner.train(&batch, LossAt::Every { burn_in: 2 })?;
                Ok(allocations(|| {
                    for _ in 0..5 {
                        learner.train(&batch, LossAt::Every { burn_in: 2 }).expect("finite");
                    }
                }))
            });
            assert_eq!(count.unwrap(), 0, "{} {update:?}", rule.name);
        }
    }
}

#[test]
fn learning_at_every_step_of_a_stream_allocates_nothing_after_the_window_is_full() {
    for rule in rule::registry::<f64>().iter().filter(|rule| rule.name != "bptt") {
        let mut learner = SequenceLearner::<f64>::new(&spec(&rule.name, Update::Steps(1)), 1).unwrap();
        let mut t = 0.0;
        let mut step = |learner: &mut SequenceLearner<f64>| {
            t += 0.1f64;
            learner.step(&[t.sin(), t.cos()], Some(Target::Values(&[t.cos(), -t.sin()]))).expect("finite");
        };
        // The eight steps of tbptt-8; every other rule is ready after one.
        (0..if rule.name == "tbptt-8" { 8 } else { 1 }).for_each(|_| step(&mut learner));
        assert_eq!(allocations(|| (0..300).for_each(|_| step(&mut learner))), 0, "{}", rule.name);
    }
}
