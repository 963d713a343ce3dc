//! Gradient descent: `w ← w − η g`.

use super::Optimiser;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// Plain gradient descent.
#[derive(Clone, Debug)]
pub struct Sgd<T> {
    size: usize,
    rate: T,
}

impl<T: Real> Sgd<T> {
    /// For `n` parameters, with learning rate η.
    pub fn new(n: usize, rate: f64) -> Self {
        Self { size: n, rate: T::of(rate) }
    }
}

impl<T: Real> Optimiser<T> for Sgd<T> {
    fn update(&mut self, w: &mut [T], gradient: &[T]) {
        assert_eq!((w.len(), gradient.len()), (self.size, self.size), "w and g must have n entries");
        w.iter_mut().zip(gradient).for_each(|(w, &g)| *w = (*w - self.rate * g).flushed());
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = T::of(rate);
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("sgd.rate", &mut self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_hand() {
        let mut w = [1.0, -2.0];
        Sgd::new(2, 0.5).update(&mut w, &[2.0, -4.0]);
        assert_eq!(w, [0.0, 0.0]);
    }
}
