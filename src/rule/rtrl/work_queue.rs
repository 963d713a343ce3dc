//! Distribution of tiles to threads.
//!
//! Every thread has its own range of tiles. The ranges are equal at every step, so that the tiles
//! are in the caches of their thread. A thread processes its range forwards and backwards at
//! alternate steps, so that the last tiles of a step are the first tiles of the next step. A thread
//! that has finished its range takes tiles from the other end of the ranges of other threads. The
//! result does not depend on the thread that processes a tile.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// The tiles of a range that are not taken yet. Start (upper 32 bits) and end share one word.
#[derive(Default)]
pub struct TileQueue(AtomicU64);

impl TileQueue {
    /// Sets the range. No tile of it is taken.
    pub fn set(&mut self, tiles: Range<usize>) {
        *self.0.get_mut() = pack(tiles.start as u32, tiles.end as u32);
    }

    /// Takes the first or the last tile that is not taken yet. Every tile is taken once.
    fn take(&self, last: bool) -> Option<usize> {
        // Relaxed: no other memory depends on the counter; tiles are locked.
        let take = |word| {
            let (start, end) = ((word >> 32) as u32, word as u32);
            (start < end).then(|| if last { pack(start, end - 1) } else { pack(start + 1, end) })
        };
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(if last { (taken as u32 - 1) as usize } else { (taken >> 32) as usize })
    }
}

fn pack(start: u32, end: u32) -> u64 {
    u64::from(start) << 32 | u64::from(end)
}

/// Returns the tiles that thread `own` takes: the tiles of its range, then remaining tiles of
/// others.
pub fn tiles(queues: &[TileQueue], own: usize, backwards: bool) -> impl Iterator<Item = usize> {
    let others = (own + 1..queues.len()).chain(0..own);
    let of_others = others.flat_map(move |other| std::iter::from_fn(move || queues[other].take(!backwards)));
    std::iter::from_fn(move || queues[own].take(backwards)).chain(of_others)
}

/// Calls `work(first + k, &mut places[k])` for every place k in parallel. Returns after all calls.
pub fn side_by_side<P: Send>(places: &mut [P], first: usize, work: &(impl Fn(usize, &mut P) + Sync)) {
    match places {
        [] => (),
        [place] => work(first, place),
        [place, rest @ ..] => {
            rayon::join(|| work(first, place), || side_by_side(rest, first + 1, work));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_several_threads_are_each_taken_once() {
        for threads in 1..=4 {
            for backwards in [false, true] {
                let mut queues: Vec<TileQueue> = (0..threads).map(|_| TileQueue::default()).collect();
                queues.iter_mut().enumerate().for_each(|(k, own)| own.set(5 * k..5 * k + 5));
                let turns: Vec<_> = (0..threads).map(|own| tiles(&queues, own, backwards)).collect();
                let mut taken: Vec<_> = turns.into_iter().rev().flat_map(|turn| turn.take(7)).collect();
                assert_eq!(taken[0], if backwards { 5 * threads - 1 } else { 5 * threads - 5 });
                taken.sort_unstable();
                assert_eq!(taken, (0..5 * threads).collect::<Vec<_>>());
            }
        }
    }
}
