//! A window of a language model: embedding, layers, softmax, and back-propagation through them.

use super::dropout::DropoutMasks;
use super::layer::Layer;
use super::layout::LmLayout;
use super::lists::Lists;
use super::products::{Mode, Products};
use super::softmax::{Softmax, SoftmaxGradient};
use super::spec::{Carry, LmSpec};
use super::tape::{LayerState, LayerTape};
use crate::error::Result;
use crate::scalar::Real;

/// State of a model between windows, for B samples.
#[derive(Clone, Debug, PartialEq)]
pub struct LmState<T> {
    /// The layers from the input up.
    pub layers: Vec<LayerState<T>>,
    batch: usize,
}

impl<T: Real> LmState<T> {
    /// The initial state of `batch` samples: zero.
    pub fn new(spec: &LmSpec, batch: usize) -> Self {
        let zeros = |&n: &usize| LayerState { c: vec![T::zero(); batch * n], y: vec![T::zero(); batch * n] };
        Self { layers: spec.sizes.iter().map(zeros).collect(), batch }
    }

    /// Returns the number of samples.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

/// Measurements of one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowReport {
    /// Number of predicted tokens, T B.
    pub tokens: u64,
    /// Sum of −log p(next token).
    pub loss: f64,
    /// Nonzero emissions of each layer, over all tokens.
    pub events: Vec<u64>,
    /// Units of each layer with `e ≠ 0` or `Ē ≠ 0`, over all tokens.
    pub live: Vec<u64>,
    /// MACs over nonzero entries, and without skipping.
    pub macs: (u64, u64),
    /// Bytes of the tapes after the forward pass.
    pub tape_bytes: usize,
}

/// A language model: its equations and scratch memory. Parameters are separate, in one flat buffer
/// in the order of [`LmLayout`].
pub struct LanguageModel<T> {
    spec: LmSpec,
    layout: LmLayout,
    products: Products<T>,
    tapes: Vec<LayerTape<T>>,
    softmax: Softmax<T>,
    /// Emissions of the last layer after dropout.
    top: Lists<T>,
    /// Scratch: entries whose credit is needed, their values, and weights with DropConnect.
    needed: Lists<T>,
    credit: Vec<T>,
    dropped: Vec<[Vec<T>; 2]>,
    /// Number of emissions before each step of the last window: `[T][layers]`, over the batch.
    events: Vec<Vec<u64>>,
    /// Whether gradients of thresholds are computed.
    thresholds: bool,
}

/// A window of tokens, time by time: `tokens[t B + b]` is token t of sample b. The targets of step t
/// are the tokens of step t + 1, so there are `(T + 1) B` tokens.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a, T> {
    /// `[T + 1][B]`
    pub tokens: &'a [u32],
    /// Masks of dropout.
    pub dropout: Option<&'a DropoutMasks<T>>,
}

impl<T: Real> LanguageModel<T> {
    /// Creates a model.
    ///
    /// # Errors
    /// If the specification is out of range.
    pub fn new(spec: &LmSpec, mode: Mode) -> Result<Self> {
        spec.check()?;
        let layout = LmLayout::new(spec);
        Ok(Self {
            products: Products::new(mode),
            tapes: spec.sizes.iter().map(|_| LayerTape::default()).collect(),
            softmax: Softmax::default(),
            top: Lists::default(),
            needed: Lists::default(),
            credit: Vec::new(),
            dropped: layout.layers.iter().map(|_| Default::default()).collect(),
            events: Vec::new(),
            thresholds: true,
            spec: spec.clone(),
            layout,
        })
    }

    /// Sets whether gradients of thresholds are computed, which needs memory. They are by default.
    pub fn set_threshold_gradients(&mut self, wanted: bool) {
        self.thresholds = wanted;
    }

    /// Returns the specification.
    pub fn spec(&self) -> &LmSpec {
        &self.spec
    }

    /// Returns the layout of the parameters.
    pub fn layout(&self) -> &LmLayout {
        &self.layout
    }

    /// Returns the logits of the last step of the last window. `[B][V]`
    pub fn last_logits(&self) -> &[T] {
        &self.softmax.last
    }

    /// Returns the nonzero emissions of the last window over the batch, `[T][layers]`.
    pub fn events(&self) -> &[Vec<u64>] {
        &self.events
    }

    /// Runs a window forward from `state`, which becomes that after the window. With `gradient`,
    /// adds the gradient of the mean loss to it (`[parameters]`).
    ///
    /// # Panics
    /// If `w`, `gradient` or the tokens do not fit the model, or a token is not below V.
    pub fn window(
        &mut self,
        w: &[T],
        state: &mut LmState<T>,
        window: Window<'_, T>,
        mut gradient: Option<&mut [T]>,
    ) -> WindowReport {
        let batch = state.batch;
        assert_eq!(w.len(), self.layout.len, "w must have one value per parameter");
        assert!(
            window.tokens.len().is_multiple_of(batch) && window.tokens.len() > batch,
            "expected tokens of at least 2 steps of {batch} samples, got {} tokens",
            window.tokens.len()
        );
        (self.products.macs, self.products.macs_dense) = (0, 0);
        let steps = window.tokens.len() / batch - 1;
        self.embed(w, &window.tokens[..steps * batch], window.dropout);
        self.drop_connect(w, window.dropout);
        let thresholds = self.thresholds && gradient.is_some();
        self.forward(w, state, window.dropout, thresholds);
        let mut report = self.report(batch, steps);
        let scale = T::of(1.0 / (steps * batch) as f64);
        let to_softmax = (&self.top, &window.tokens[batch..]);
        let (softmax, products, layout) = (&mut self.softmax, &mut self.products, &self.layout);
        let last = self.tapes.last_mut().expect("there is at least one layer");
        let output = window.dropout.map_or(&[][..], |masks| &masks.output);
        let for_softmax = gradient.as_deref_mut().map(|gradient| {
            last.clear_credit();
            select(&last.live, output, last_units(layout), &mut self.needed);
            self.credit.clear();
            self.credit.resize(self.needed.len(), T::zero());
            SoftmaxGradient { gradient, needed: &self.needed, credit: &mut self.credit }
        });
        report.loss = softmax.evaluate(layout, w, to_softmax, (scale, batch), products, for_softmax);
        if let Some(gradient) = gradient {
            scatter(&self.needed, &self.credit, last);
            self.backward(w, window, batch, gradient);
        }
        report.macs = (self.products.macs, self.products.macs_dense);
        report
    }

    /// Writes the embedded tokens, after dropout, to the input of the first layer.
    fn embed(&mut self, w: &[T], tokens: &[u32], dropout: Option<&DropoutMasks<T>>) {
        let (e, v) = (self.spec.embedding, self.spec.vocabulary);
        let embedding = &w[self.layout.embedding.clone()];
        let x = &mut self.tapes[0].x;
        x.clear();
        for (row, &token) in tokens.iter().enumerate() {
            let token = token as usize;
            assert!(token < v, "token {token} must be below the size of the vocabulary, {v}");
            for j in 0..e {
                let mask = input_mask(dropout, token, row * e + j);
                if mask != T::zero() {
                    // Zero weights are listed as well: their gradient is needed.
                    x.push(j, mask * embedding[j * v + token]);
                }
            }
            x.end_row();
        }
    }

    /// Computes recurrent weights with DropConnect.
    fn drop_connect(&mut self, w: &[T], dropout: Option<&DropoutMasks<T>>) {
        for (k, (layer, dropped)) in self.layout.layers.iter().zip(&mut self.dropped).enumerate() {
            dropped.iter_mut().for_each(Vec::clear);
            let Some(masks) = dropout else { continue };
            let blocks = [Some(&layer.recurrent), layer.gated.as_ref()];
            for ((to, block), masks) in dropped.iter_mut().zip(blocks).zip([&masks.recurrent, &masks.gated]) {
                if let (Some(block), Some(mask)) = (block, masks.get(k).filter(|mask| !mask.is_empty())) {
                    to.extend(w[block.at.clone()].iter().zip(mask).map(|(&w, &mask)| w * mask));
                }
            }
        }
    }

    fn layer<'a>(&'a self, k: usize, w: &'a [T], batch: usize) -> Layer<'a, T> {
        let [recurrent, gated] =
            self.dropped[k].each_ref().map(|own| Some(&own[..]).filter(|own| !own.is_empty()));
        Layer {
            layout: &self.layout.layers[k],
            w,
            dropped: recurrent,
            dropped_gated: gated,
            cell: self.spec.cell,
            config: self.spec.unit_config(),
            batch,
        }
    }

    fn forward(
        &mut self,
        w: &[T],
        state: &mut LmState<T>,
        dropout: Option<&DropoutMasks<T>>,
        thresholds: bool,
    ) {
        let batch = state.batch;
        let mut products = std::mem::replace(&mut self.products, Products::new(Mode::Auto));
        for k in 0..self.tapes.len() {
            let mut tape = std::mem::take(&mut self.tapes[k]);
            let own = &mut state.layers[k];
            let layer = self.layer(k, w, batch);
            match self.spec.carry {
                Carry::Whole => layer.emit(own),
                Carry::Emission => own.c.fill(T::zero()),
            }
            layer.forward(own, &mut tape, &mut products, thresholds);
            let n = self.layout.layers[k].units;
            let (mask, above) = match self.tapes.get_mut(k + 1) {
                Some(above) => (dropout.and_then(|masks| masks.between.get(k)), &mut above.x),
                None => (dropout.map(|masks| &masks.output), &mut self.top),
            };
            apply(&tape.y, batch, mask.map_or(&[][..], |mask| mask), n, above);
            self.tapes[k] = tape;
        }
        self.products = products;
    }

    fn backward(&mut self, w: &[T], window: Window<'_, T>, batch: usize, gradient: &mut [T]) {
        let mut products = std::mem::replace(&mut self.products, Products::new(Mode::Auto));
        for k in (0..self.tapes.len()).rev() {
            let mut tape = std::mem::take(&mut self.tapes[k]);
            let layer = self.layer(k, w, batch);
            layer.backward(&mut tape, &mut products, gradient);
            if let Some(masks) = window.dropout {
                let blocks = [Some(&layer.layout.recurrent), layer.layout.gated.as_ref()];
                for (block, masks) in blocks.into_iter().zip([&masks.recurrent, &masks.gated]) {
                    if let (Some(block), Some(mask)) = (block, masks.get(k).filter(|mask| !mask.is_empty())) {
                        let own = &mut gradient[block.at.clone()];
                        own.iter_mut().zip(mask).for_each(|(g, &mask)| *g *= mask);
                    }
                }
            }
            let input = layer.layout.input.clone();
            if k > 0 {
                let n = self.layout.layers[k - 1].units;
                let mask = window.dropout.and_then(|masks| masks.between.get(k - 1));
                let mask = mask.map_or(&[][..], |mask| mask);
                let below = &mut self.tapes[k - 1];
                below.clear_credit();
                select(&below.live, mask, n, &mut self.needed);
                self.credit.resize(self.needed.len(), T::zero());
                tape.input_credit(&input, w, &self.needed, &mut self.credit, &mut products);
                scatter(&self.needed, &self.credit, below);
            } else {
                self.credit.resize(tape.x.len(), T::zero());
                tape.input_credit(&input, w, &tape.x, &mut self.credit, &mut products);
                self.embedding_gradient(&tape.x, window, batch, gradient);
            }
            self.tapes[k] = tape;
        }
        self.products = products;
    }

    /// Adds `∂L/∂x` of the first layer to the gradient of the embedding.
    fn embedding_gradient(&self, x: &Lists<T>, window: Window<'_, T>, batch: usize, gradient: &mut [T]) {
        let (e, v) = (self.spec.embedding, self.spec.vocabulary);
        let embedding = &mut gradient[self.layout.embedding.clone()];
        for (row, &token) in window.tokens[..window.tokens.len() - batch].iter().enumerate() {
            for k in x.positions(row..row + 1) {
                let j = x.index[k] as usize;
                let mask = input_mask(window.dropout, token as usize, row * e + j);
                embedding[j * v + token as usize] += mask * self.credit[k];
            }
        }
    }

    fn report(&mut self, batch: usize, steps: usize) -> WindowReport {
        let count = |lists: &Lists<T>, rows| lists.positions(rows).len() as u64;
        let nonzero = |tape: &LayerTape<T>, first: usize, last: usize| count(&tape.y, first..last);
        self.events.clear();
        for t in 1..=steps {
            let at = |tape: &LayerTape<T>| nonzero(tape, t * batch, (t + 1) * batch);
            self.events.push(self.tapes.iter().map(at).collect());
        }
        WindowReport {
            tokens: (steps * batch) as u64,
            loss: 0.0,
            events: self.tapes.iter().map(|tape| nonzero(tape, batch, (steps + 1) * batch)).collect(),
            live: self.tapes.iter().map(|tape| tape.live.len() as u64).collect(),
            macs: (0, 0),
            tape_bytes: self.tapes.iter().map(LayerTape::bytes).sum(),
        }
    }
}

fn last_units(layout: &LmLayout) -> usize {
    layout.layers.last().map_or(0, |layer| layer.units)
}

/// The factor of an entry of the embedded input.
fn input_mask<T: Real>(dropout: Option<&DropoutMasks<T>>, token: usize, at: usize) -> T {
    let one = T::one();
    let Some(masks) = dropout else { return one };
    let factor = |mask: &[T], at: usize| mask.get(at).copied().unwrap_or(one);
    factor(&masks.word, token) * factor(&masks.embedded, at)
}

/// Writes the emissions of a window, times a mask `[T B][n]` (empty: 1), without the rows before it.
fn apply<T: Real>(y: &Lists<T>, batch: usize, mask: &[T], n: usize, to: &mut Lists<T>) {
    to.clear();
    for row in batch..y.rows() {
        let (index, value) = y.row(row);
        for (&i, &y) in index.iter().zip(value) {
            let factor = mask.get((row - batch) * n + i as usize).copied().unwrap_or(T::one());
            if factor != T::zero() {
                to.push(i as usize, factor * y);
            }
        }
        to.end_row();
    }
}

/// Writes the live entries whose mask (`[T B][n]`, empty: 1) is not zero.
fn select<T: Real>(live: &Lists<T>, mask: &[T], n: usize, to: &mut Lists<T>) {
    to.clear();
    for row in 0..live.rows() {
        for &i in live.row(row).0 {
            let factor = mask.get(row * n + i as usize).copied().unwrap_or(T::one());
            if factor != T::zero() {
                to.push(i as usize, factor);
            }
        }
        to.end_row();
    }
}

/// Adds the credit of selected entries, times their mask, to the credit of the layer.
fn scatter<T: Real>(selected: &Lists<T>, credit: &[T], to: &mut LayerTape<T>) {
    for row in 0..selected.rows() {
        let mut at = to.live.positions(row..row + 1);
        for k in selected.positions(row..row + 1) {
            let place = at.by_ref().find(|&place| to.live.index[place] == selected.index[k]);
            let place = place.expect("selected entries are live");
            to.credit[place] += selected.value[k] * credit[k];
        }
    }
}
