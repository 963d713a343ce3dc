//! What a layer keeps of a window, and its state between windows. Row `t B + b` of every matrix is
//! step t of sample b.

use super::kernels::Tiles;
use super::layout::Block;
use super::lists::Lists;
use super::matrix::Matrix;
use super::products::Products;
use crate::scalar::Real;

/// State of one layer between windows.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState<T> {
    /// `[B][n]`
    pub c: Vec<T>,
    /// `[B][n]`
    pub y: Vec<T>,
}

/// What a backward pass reads of a window.
#[derive(Debug)]
pub struct LayerTape<T> {
    /// Inputs after dropout, `T B` rows.
    pub x: Lists<T>,
    /// `[T B][columns n]`: pre-activations, then gains, then the adjoints δ of pre-activations.
    pub gates: Vec<T>,
    /// d. `[T B][n]`
    pub carry: Vec<T>,
    /// Nonzero emissions: those before the window, then `T B` rows. `B + T B` rows.
    pub y: Lists<T>,
    /// e of the units with `e ≠ 0` or `Ē ≠ 0`, `T B` rows.
    pub live: Lists<T>,
    /// Ē of the same units. Empty without trained thresholds.
    pub e_bar: Vec<T>,
    /// ∂c/∂ϑ. `[T B][n]`, empty without trained thresholds.
    pub theta_gain: Vec<T>,
    /// Ē of the emissions before the window, which follow from c and ϑ: units with `Ē ≠ 0`, B rows.
    /// Empty without trained thresholds.
    pub before: Lists<T>,
    /// `∂L/∂y` from above, one value per entry of `live`.
    pub credit: Vec<T>,
    /// Nonzero r ⊙ y⁻, `T B` rows. Empty unless the reset gate is before the product.
    pub gated: Lists<T>,
    /// Scratch: recurrent weights in tiles.
    pub tiles: Tiles<T>,
    /// Scratch of one step: `[B][n]` each.
    pub c: Vec<T>,
    pub y_now: Vec<T>,
    pub lambda: Vec<T>,
    pub dy: Vec<T>,
    pub sampled: Vec<T>,
}

impl<T: Real> Default for LayerTape<T> {
    fn default() -> Self {
        Self {
            x: Lists::default(),
            gates: Vec::new(),
            carry: Vec::new(),
            y: Lists::default(),
            live: Lists::default(),
            e_bar: Vec::new(),
            theta_gain: Vec::new(),
            before: Lists::default(),
            credit: Vec::new(),
            gated: Lists::default(),
            tiles: Tiles::default(),
            c: Vec::new(),
            y_now: Vec::new(),
            lambda: Vec::new(),
            dy: Vec::new(),
            sampled: Vec::new(),
        }
    }
}

impl<T: Real> LayerTape<T> {
    /// Computes `∂L/∂x = W_x δ` for the entries `needed`, one value each.
    pub fn input_credit(
        &self,
        input: &Block,
        w: &[T],
        needed: &Lists<T>,
        credit: &mut [T],
        products: &mut Products<T>,
    ) {
        let rows = needed.rows();
        let d = Matrix::new(&self.gates, self.gates.len() / rows, input.columns.clone());
        let w = Matrix::new(&w[input.at.clone()], input.width(), 0..input.width());
        products.sample(needed, 0..rows, d, w, credit);
    }

    /// Sets the credit of all live units to zero.
    pub fn clear_credit(&mut self) {
        self.credit.clear();
        self.credit.resize(self.live.len(), T::zero());
    }

    /// Returns the bytes that the tape holds between the passes.
    pub fn bytes(&self) -> usize {
        let numbers = self.gates.len() + self.carry.len() + self.e_bar.len() + self.theta_gain.len();
        size_of::<T>() * numbers + self.x.bytes() + self.y.bytes() + self.live.bytes() + self.gated.bytes()
    }
}
