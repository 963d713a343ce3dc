//! Named settings of a training run.

use super::spec::{Carry, Dropout, LmCell, LmSpec};
use super::text::TokenKind;
use super::train_spec::LmTraining;
use serde::{Deserialize, Serialize};

/// A named setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LmPreset {
    /// 2 × 64 units on a generated text: seconds.
    Tiny,
    /// 3 × 200 units: minutes on Penn Treebank.
    Small,
    /// The command of the LM paper's code for Penn Treebank: 750, 1350, 1350, 750.
    Ptb,
    /// The command of the LM paper's code for WikiText-2.
    Wt2,
}

impl LmTraining {
    /// Returns a named setting.
    pub fn preset(preset: LmPreset) -> Self {
        match preset {
            LmPreset::Tiny => Self::tiny(),
            LmPreset::Small => Self::small(),
            LmPreset::Ptb => Self::ptb(),
            LmPreset::Wt2 => Self::wt2(),
        }
    }

    fn tiny() -> Self {
        Self {
            tokens: TokenKind::Words,
            cell: LmCell::Egru,
            embedding: 64,
            sizes: vec![64, 64],
            config: LmSpec::new(2, 1, vec![1]).config,
            carry: Carry::Whole,
            param_sparsity: 0.0,
            threshold_mean: 0.05,
            train_thresholds: false,
            dropout: Dropout::default(),
            batch: 16,
            window: 20,
            random_windows: false,
            epochs: 4,
            learning_rate: 3e-3,
            beta1: 0.0,
            weight_decay: 0.0,
            clip: Some(1.0),
            schedule: "cosine".into(),
            schedule_start: 0,
        }
    }

    fn small() -> Self {
        let tiny = Self::tiny();
        Self {
            embedding: 200,
            sizes: vec![200; 3],
            dropout: Dropout { embedded: 0.2, between: 0.2, output: 0.3, locked: true, ..tiny.dropout },
            batch: 20,
            window: 35,
            epochs: 8,
            learning_rate: 2e-3,
            schedule_start: 2,
            ..tiny
        }
    }

    fn ptb() -> Self {
        Self {
            embedding: 750,
            sizes: vec![1350, 1350, 750],
            threshold_mean: 0.01,
            dropout: Dropout {
                word: 0.1,
                embedded: 0.6,
                between: 0.25,
                output: 0.5,
                connect: 0.7,
                locked: false,
            },
            batch: 64,
            window: 70,
            random_windows: true,
            epochs: 1000,
            learning_rate: 1.2e-3,
            weight_decay: 0.1,
            clip: Some(0.1),
            schedule_start: 700,
            ..Self::tiny()
        }
    }

    fn wt2() -> Self {
        let ptb = Self::ptb();
        Self {
            dropout: Dropout { embedded: 0.7, ..ptb.dropout },
            batch: 128,
            epochs: 800,
            learning_rate: 1e-3,
            weight_decay: 0.12,
            schedule_start: 400,
            ..ptb
        }
    }
}
