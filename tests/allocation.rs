//! The engine allocates nothing after the first sequence. A counting allocator verifies it.

use sparse_rtrl::experiment;
use sparse_rtrl::learner::sequence::Sequence;
use sparse_rtrl::learner::sequence::{LossAt, SequenceLearner, SequenceLearnerSpec, Update};
use sparse_rtrl::lm::{LmCell, LmLayout, LmSpec, Predictor};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn record() {
    // `try_with` fails while a thread is being destroyed; its allocations are not counted.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is forwarded unchanged to the system allocator, which fulfils the contract.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record();
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        record();
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The number of allocations of a closure.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn spec(rule: &str, update: Update) -> SequenceLearnerSpec {
    let mut spec = SequenceLearnerSpec::new(2, 8, 2);
    spec.model.network.layers.push(spec.model.network.layers[0].clone());
    spec.model.network.trace = Some(0.9);
    spec.model.mask.sparsity = 0.5;
    spec.clip = Some(1.0);
    spec.model.rule = rule.into();
    spec.update = update;
    spec
}

fn sequence(seed: usize) -> Sequence<f64> {
    let inputs = (0..2 * 17).map(|k| ((k * k + seed) as f64).sin()).collect();
    Sequence { inputs, width: 2, classes: vec![Some(seed % 2); 17], judged_from: 16 }
}

#[test]
fn allocator_after_allocation_counts_it() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1; 10]))) > 0);
}

#[test]
fn train_after_first_batch_allocates_nothing() {
    for rule in rule::registry::<f64>() {
        for update in [Update::Sequence, Update::Steps(3)] {
            let mut spec = SequenceLearnerSpec { streams: 4, ..spec(&rule.name, update) };
            spec.model.loss = Loss::CrossEntropy;

            // One thread, so that allocations of the scheduler are not counted.
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
fn step_after_full_window_allocates_nothing() {
    for rule in rule::registry::<f64>().iter().filter(|rule| rule.name != "bptt") {
        let mut learner = SequenceLearner::<f64>::new(&spec(&rule.name, Update::Steps(1)), 1).unwrap();
        let mut t = 0.0;
        let mut step = |learner: &mut SequenceLearner<f64>| {
            t += 0.1f64;
            learner.step(&[t.sin(), t.cos()], Some(Target::Values(&[t.cos(), -t.sin()]))).expect("finite");
        };
        // tbptt-8 fills its window in eight steps; the buffers of other rules are complete after one.
        (0..if rule.name == "tbptt-8" { 8 } else { 1 }).for_each(|_| step(&mut learner));
        assert_eq!(allocations(|| (0..300).for_each(|_| step(&mut learner))), 0, "{}", rule.name);
    }
}

#[test]
fn next_after_construction_allocates_nothing() {
    for cell in [LmCell::Egru, LmCell::Gru, LmCell::Lstm] {
        let spec = LmSpec { cell, ..LmSpec::new(30, 12, vec![20, 12]) };
        let w: Vec<f32> = (0..LmLayout::new(&spec).len).map(|k| (k as f32).sin().abs() - 0.3).collect();
        for create in [Predictor::new, Predictor::quantised] {
            // One thread, so that allocations of the scheduler are not counted.
            let count = experiment::pool(1).unwrap().install(|| {
                let mut predictor = create(&spec, &w).unwrap();
                allocations(|| {
                    for token in (0..30).cycle().take(100) {
                        predictor.next(token).expect("a token of the vocabulary");
                        predictor.probabilities();
                    }
                })
            });
            assert_eq!(count, 0, "{cell:?}");
        }
    }
}
