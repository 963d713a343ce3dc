//! Gradient descent.

use super::Optimiser;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// Gradient descent: `w ← w − η g`.
///
/// w and g have n entries; η is the learning rate. w is flushed (see [`scalar`](crate::scalar)).
/// The optimiser has no state besides η.
#[derive(Clone, Debug)]
pub struct Sgd<T> {
    size: usize,
    rate: T,
}

impl<T: Real> Sgd<T> {
    /// Creates an optimiser for `n` parameters with learning rate `rate`, η.
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
    fn sgd_one_step_equals_values_by_hand() {
        let mut w = [1.0, -2.0];
        Sgd::new(2, 0.5).update(&mut w, &[2.0, -4.0]);
        assert_eq!(w, [0.0, 0.0]);
    }

    #[test]
    fn sgd_restored_keeps_its_rate() {
        let mut sgd = Sgd::<f64>::new(1, 0.5);
        sgd.set_rate(0.25);
        let mut writer = Archive::writer();
        Optimiser::<f64>::archive(&mut sgd, &mut writer).unwrap();
        let mut restored = Sgd::<f64>::new(1, 8.0);
        restored.archive(&mut Archive::reader(writer.into_bytes())).unwrap();
        for sgd in [&mut sgd, &mut restored] {
            let mut w = [1.0];
            sgd.update(&mut w, &[2.0]);
            assert_eq!(w, [0.5]);
        }
    }

    #[test]
    #[should_panic(expected = "n entries")]
    fn sgd_with_another_number_of_weights_panics() {
        Sgd::new(2, 0.1).update(&mut [1.0, 2.0], &[1.0]);
    }
}
