//! Memory does not grow with the stream: an allocator that counts bytes watches a learner, and a whole session, over 100,000 steps, or over as
//! many as are asked for. This runs a million:
//!
//! ```sh
//! SPARSE_RTRL_MEMORY_STEPS=1000000 cargo test --test memory
//! ```

use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::readout::Target;
use sparse_rtrl::stream::feed::Lines;
use sparse_rtrl::stream::session::{Session, Settings};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn note(bytes: i64) {
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call is handed on unchanged to the system allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as i64 - layout.size() as i64);
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as i64));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> i64 {
    HELD.with(Cell::get)
}

/// `SPARSE_RTRL_MEMORY_STEPS`, in thousands, or 100,000.
fn steps() -> usize {
    let given = std::env::var("SPARSE_RTRL_MEMORY_STEPS");
    let steps =
        given.map_or(100_000, |steps| steps.parse().expect("SPARSE_RTRL_MEMORY_STEPS: a whole number"));
    assert!(
        steps > SETTLED && steps.is_multiple_of(1000),
        "expected thousands, more than {SETTLED}, got {steps}"
    );
    steps
}

/// After which everything has its size: the window is full, every source has spoken.
const SETTLED: usize = 5_000;

#[test]
fn the_counter_counts() {
    let before = held();
    let list = std::hint::black_box(vec![0u8; 1000]);
    assert_eq!(held() - before, 1000);
    drop(list);
    assert_eq!(held(), before);
}

#[test]
fn online_after_many_steps_holds_as_many_bytes_as_after_a_few() {
    for horizon in [0, 3] {
        let mut spec = StreamLearnerSpec::new(2, 4, 1);
        (spec.horizon, spec.mask.sparsity) = (horizon, 0.5);
        let mut learner = StreamLearner::<f32>::new(&spec, 0).unwrap();
        let mut settled = 0;
        for t in 0..steps() {
            let x = [(0.3 * t as f64).sin(), (t % 7) as f64];
            learner.step(&x, Some(Target::Values(&[x[0] * x[1]]))).unwrap();
            if t == SETTLED {
                settled = held();
            }
        }
        assert_eq!(held(), settled, "horizon {horizon}");
    }
}

#[test]
fn session_after_many_rows_holds_as_many_bytes_as_after_a_few() {
    let mut settings = Settings::new("y").resolved();
    (settings.units, settings.feed.horizon, settings.window) = (4, 2, 100);
    let mut session = Session::<f32>::begin(&settings, vec!["x".into(), "y".into()]).unwrap();
    let rows: String = (0..1000).map(|t| format!("{:.3},{}\n", (0.3 * f64::from(t)).sin(), t % 7)).collect();
    let mut settled = 0;
    for pass in 0..steps() / 1000 {
        let mut lines = Lines::new(rows.as_bytes());
        while let Some(line) = lines.next_line().unwrap() {
            session.row(line).unwrap();
        }
        drop(lines);
        if pass == SETTLED / 1000 {
            settled = held();
        }
    }
    assert_eq!(session.position().rows, steps() as u64);
    assert_eq!(held(), settled);
}
