//! Models: a recurrent network with a readout and a loss.
//!
//! [`ModelSpec`] is the common part of the specifications of learners, experiments and streams.
//! [`Model`] is built from it.

mod memory;

#[doc(hidden)]
pub use memory::check_memory;

use crate::cell::CellConfig;
use crate::error::{Error, Result};
use crate::network::{LayerSpec, Network, NetworkSpec};
use crate::params::{Init, MaskSpec};
use crate::range::within;
use crate::readout::{Loss, Readout};
use crate::rule;
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// The specification of a model and of its learning rule, as plain data.
///
/// [`new`](Self::new) returns the defaults; fields can be changed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Inputs, layers and trace of the network.
    pub network: NetworkSpec,
    /// Number of outputs.
    pub outputs: usize,
    /// The loss. It determines the kind of target: values, one of two classes, or one of several
    /// classes.
    pub loss: Loss,
    /// Masks of kept parameters. A layer can have its own mask specification.
    pub mask: MaskSpec,
    /// Distributions of initial values.
    pub init: Init,
    /// Name of the learning rule.
    pub rule: String,
}

impl ModelSpec {
    /// Returns the defaults for one layer of `units` EGRU units: no masks, exact RTRL, squared
    /// error.
    pub fn new(inputs: usize, units: usize, outputs: usize) -> Self {
        Self::stacked(inputs, LayerSpec::new("egru", units, CellConfig::default()), 1, outputs)
    }

    /// Returns the defaults for `layers` equal layers. Other fields have the values of
    /// [`new`](Self::new).
    pub fn stacked(inputs: usize, layer: LayerSpec, layers: usize, outputs: usize) -> Self {
        Self {
            network: NetworkSpec { inputs, layers: vec![layer; layers], trace: None },
            outputs,
            loss: Loss::SquaredError,
            mask: MaskSpec::default(),
            init: Init::default(),
            rule: "rtrl".into(),
        }
    }

    /// Checks names, ranges and combinations.
    ///
    /// # Errors
    /// If a cell or rule is unknown, a number is out of range, or the loss does not fit the number
    /// of outputs.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        self.mask.check()?;
        self.init.check()?;
        rule::find::<f64>(&self.rule)?;
        within("outputs", self.outputs, 1..=100_000)?;
        if self.loss == Loss::BinaryCrossEntropy && self.outputs != 1 {
            return Err(Error::setting("outputs", "1 for a binary cross-entropy", self.outputs));
        }
        Ok(())
    }
}

/// A network with its readout and loss.
///
/// Parameters are stored separately, in one flat buffer: the p parameters of the network, then
/// those of the readout.
pub struct Model<T> {
    /// The recurrent network.
    pub network: Network<T>,
    /// The linear readout. Its inputs are the output rows of the network, then further features, if
    /// any.
    pub readout: Readout,
    /// The loss of the outputs.
    pub loss: Loss,
}

impl<T: Real> Model<T> {
    /// Creates a model of a network and a readout of `outputs` outputs.
    pub fn new(network: Network<T>, outputs: usize, loss: Loss) -> Self {
        let readout = Readout { inputs: network.wiring().outputs().len(), outputs };
        Self { network, readout, loss }
    }

    /// Returns the length of the flat buffer: p plus the number of parameters of the readout.
    pub fn parameters(&self) -> usize {
        self.network.wiring().parameters() + self.readout.parameters()
    }
}
