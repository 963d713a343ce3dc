//! Language models whose training and inference compute only what is active (LM paper).
//!
//! A model is an embedding, a stack of recurrent layers and a softmax that uses the embedding:
//!
//! `x_t = E[token_t]`, layers, `logits_t = y_t Eᵀ + b`, `L = −mean log softmax(logits_t)[token_{t+1}]`.
//!
//! Training is truncated back-propagation over windows of T steps of B samples, sparse in both
//! directions (LM paper, section 3): forward products skip units with y = 0, the backward pass
//! computes ∂L/∂y for units with e ≠ 0 only, and weight gradients skip sources that are zero.

mod backward;
mod cost;
pub mod dropout;
mod init;
mod kernels;
mod layer;
mod layout;
mod lists;
mod matrix;
mod model;
mod predictor;
mod presets;
mod products;
mod run;
mod softmax;
mod spec;
mod tape;
pub mod text;
pub mod train;
mod train_spec;

pub use cost::{EffectiveMacs, LmLayerMacs, LmSparsity};
pub use dropout::DropoutMasks;
pub use layout::{Block, GateTensor, LayerLayout, LmLayout};
pub use model::{LanguageModel, LmState, Window, WindowReport};
pub use predictor::Predictor;
pub use presets::LmPreset;
pub use products::Mode;
pub use run::{EpochRow, LmRun};
pub use spec::{Carry, Dropout, LmCell, LmSpec};
pub use tape::LayerState;
pub use train::{LmEvaluation, LmTrainer};
pub use train_spec::LmTraining;
