//! Memory use does not grow with the length of a stream. A counting allocator measures a learner
//! and a session over 100,000 steps, or over the number of steps in an environment variable:
//!
//! ```sh
//! SPARSE_RTRL_MEMORY_STEPS=1000000 cargo test --test memory
//! ```

use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::readout::Target;
use sparse_rtrl::stream::feed::LineReader;
use sparse_rtrl::stream::session::{Session, Settings};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct CountingAllocator;

thread_local! {
    static ALLOCATED: Cell<i64> = const { Cell::new(0) };
}

fn record(bytes: i64) {
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + bytes));
}

// SAFETY: every call is forwarded unchanged to the system allocator, which fulfils the contract.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        record(size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        record(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn allocated() -> i64 {
    ALLOCATED.with(Cell::get)
}

/// The number of steps: `SPARSE_RTRL_MEMORY_STEPS`, a multiple of 1000, or 100,000.
fn steps() -> usize {
    let given = std::env::var("SPARSE_RTRL_MEMORY_STEPS");
    let steps = given
        .map_or(100_000, |steps| steps.parse().expect("SPARSE_RTRL_MEMORY_STEPS: expected a whole number"));
    assert!(
        steps > WARM_UP && steps.is_multiple_of(1000),
        "expected a multiple of 1000 above {WARM_UP}, got {steps}"
    );
    steps
}

/// Steps after which no buffer grows: the window is full and every source has been nonzero.
const WARM_UP: usize = 5_000;

#[test]
fn allocator_after_allocation_counts_its_bytes() {
    let before = allocated();
    let list = std::hint::black_box(vec![0u8; 1000]);
    assert_eq!(allocated() - before, 1000);
    drop(list);
    assert_eq!(allocated(), before);
}

#[test]
fn stream_learner_after_many_steps_uses_same_memory_as_after_warm_up() {
    for horizon in [0, 3] {
        let mut spec = StreamLearnerSpec::new(2, 4, 1);
        (spec.horizon, spec.model.mask.sparsity) = (horizon, 0.5);
        let mut learner = StreamLearner::<f32>::new(&spec, 0).unwrap();
        let mut after_warm_up = 0;
        for t in 0..steps() {
            let x = [(0.3 * t as f64).sin(), (t % 7) as f64];
            learner.step(&x, Some(Target::Values(&[x[0] * x[1]]))).unwrap();
            if t == WARM_UP {
                after_warm_up = allocated();
            }
        }
        assert_eq!(allocated(), after_warm_up, "horizon {horizon}");
    }
}

#[test]
fn session_after_many_rows_uses_same_memory_as_after_warm_up() {
    let mut settings = Settings::new("y").resolved();
    (settings.units, settings.rows.horizon, settings.window) = (4, 2, 100);
    let mut session = Session::<f32>::begin(&settings, vec!["x".into(), "y".into()]).unwrap();
    let rows: String = (0..1000).map(|t| format!("{:.3},{}\n", (0.3 * f64::from(t)).sin(), t % 7)).collect();
    let mut after_warm_up = 0;
    for pass in 0..steps() / 1000 {
        let mut lines = LineReader::new(rows.as_bytes());
        while let Some(line) = lines.next_line().unwrap() {
            session.row(line).unwrap();
        }
        drop(lines);
        if pass == WARM_UP / 1000 {
            after_warm_up = allocated();
        }
    }
    assert_eq!(session.position().rows, steps() as u64);
    assert_eq!(allocated(), after_warm_up);
}
