//! Tiles shared out among threads.
//!
//! Every thread has a stretch of tiles of its own, the same at every step, so that it finds them in its own caches; it walks through them
//! in turns forwards and backwards, so that the last tiles of a step are the first of the next. Whoever is done helps another from the
//! other end: a thread that comes late, or not at all, finds its work done. Who carries a tile through a step makes no difference to it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tiles of a stretch that nobody has taken yet: the first, and the end, in one word.
#[derive(Default)]
pub struct Stretch(AtomicU64);

impl Stretch {
    /// Nobody has taken any of them.
    pub fn set(&mut self, tiles: Range<usize>) {
        *self.0.get_mut() = pack(tiles.start as u32, tiles.end as u32);
    }

    /// Takes the first or the last tile that is left. Every tile is taken once.
    fn take(&self, last: bool) -> Option<usize> {
        // Nothing but the counter itself is handed over here: tiles are behind locks.
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

/// The tiles that a thread takes, one after another: those of its own stretch, then those that others have left.
pub fn tiles(stretches: &[Stretch], own: usize, backwards: bool) -> impl Iterator<Item = usize> {
    let others = (own + 1..stretches.len()).chain(0..own);
    let of_others =
        others.flat_map(move |other| std::iter::from_fn(move || stretches[other].take(!backwards)));
    std::iter::from_fn(move || stretches[own].take(backwards)).chain(of_others)
}

/// Does `work` for every place on several threads, as many of them as come; returns when all is done.
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
    fn every_tile_is_taken_once() {
        for threads in 1..=4 {
            for backwards in [false, true] {
                let mut stretches: Vec<Stretch> = (0..threads).map(|_| Stretch::default()).collect();
                stretches.iter_mut().enumerate().for_each(|(k, own)| own.set(5 * k..5 * k + 5));
                let turns: Vec<_> = (0..threads).map(|own| tiles(&stretches, own, backwards)).collect();
                let mut taken: Vec<_> = turns.into_iter().rev().flat_map(|turn| turn.take(7)).collect();
                assert_eq!(taken[0], if backwards { 5 * threads - 1 } else { 5 * threads - 5 });
                taken.sort_unstable();
                assert_eq!(taken, (0..5 * threads).collect::<Vec<_>>());
            }
        }
    }
}
