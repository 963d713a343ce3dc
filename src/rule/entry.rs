//! What the registry knows of one rule.

use super::cost::{CostModel, Means};
use super::{Claim, Rule, Skips, Unmasked};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// Builds a rule for one stream. The seed is for rules that draw random numbers.
pub type BuildRule<T> = Box<dyn Fn(&Arc<Wiring>, Skips, u64) -> Box<dyn Rule<T>> + Send + Sync>;

type BuildCost<T> = Box<dyn Fn(&Arc<Wiring>) -> Box<dyn CostModel<T>> + Send + Sync>;
type MeanCost = Box<dyn Fn(&Means) -> f64 + Send + Sync>;
type Memory = Box<dyn Fn(&Dimensions) -> f64 + Send + Sync>;

/// Dimensions of a network before its masks are drawn, for estimates of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimensions {
    /// Rows of S, inner rows included.
    pub rows: f64,
    /// p, kept parameters.
    pub parameters: f64,
    /// Parameters without masks.
    pub dense_parameters: f64,
}

/// A learning rule with a name: how to build it, what it claims, and what it costs.
///
/// This is the only place that knows a rule by its name. The rules of this crate are listed by
/// [`registry`](super::registry()). A rule of your own gets an entry with [`new`](Self::new) and can be passed to
/// `sparse_rtrl::check::check_rule`.
pub struct RuleEntry<T> {
    /// The name on the command line and in configurations.
    pub name: String,
    /// One line for `--help`.
    pub about: &'static str,
    /// The claim about its gradient.
    pub claim: Claim,
    /// Whether it keeps every step since the reset, so that an endless stream would fill the memory.
    pub grows: bool,
    /// Builds the rule for one stream over a wiring.
    pub build: BuildRule<T>,
    build_cost: Option<BuildCost<T>>,
    mean_cost: Option<MeanCost>,
    memory: Memory,
}

impl<T: Real> RuleEntry<T> {
    /// A rule without a cost model.
    pub fn new<R: Rule<T> + 'static>(
        name: impl Into<String>,
        about: &'static str,
        claim: Claim,
        build: impl Fn(&Arc<Wiring>, Skips, u64) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::boxed(
            name,
            about,
            claim,
            Box::new(move |wiring, skips, seed| Box::new(build(wiring, skips, seed))),
        )
    }

    /// A rule that is built from a wiring and whether it skips what activity makes zero. To switch the skip of masked
    /// parameters off, it is built on the unmasked wiring ([`Unmasked`]).
    pub fn maskable<R: Rule<T> + 'static>(
        name: impl Into<String>,
        about: &'static str,
        claim: Claim,
        build: impl Fn(Arc<Wiring>, bool) -> R + Send + Sync + 'static,
    ) -> Self {
        let build: BuildRule<T> = Box::new(move |wiring, skips, _| {
            if skips.parameters {
                Box::new(build(wiring.clone(), skips.activity))
            } else {
                Box::new(Unmasked::new(wiring, |full| build(full, skips.activity)))
            }
        });
        Self::boxed(name, about, claim, build)
    }

    /// A rule from the function that builds it.
    pub(super) fn boxed(
        name: impl Into<String>,
        about: &'static str,
        claim: Claim,
        build: BuildRule<T>,
    ) -> Self {
        let memory: Memory = Box::new(|size| size.rows * size.parameters);
        let name = name.into();
        Self { name, about, claim, grows: false, build, build_cost: None, mean_cost: None, memory }
    }

    /// Adds a cost model, which predicts MACs and numbers in use with all skips on.
    pub fn with_cost<C: CostModel<T> + 'static>(
        self,
        build: impl Fn(&Arc<Wiring>) -> C + Send + Sync + 'static,
    ) -> Self {
        self.with_boxed_cost(Box::new(move |wiring| Box::new(build(wiring))))
    }

    pub(super) fn with_boxed_cost(self, build: BuildCost<T>) -> Self {
        Self { build_cost: Some(build), ..self }
    }

    /// Adds the mean cost: MACs per step from sizes and measured sparsities alone.
    pub fn with_mean_cost(self, mean: impl Fn(&Means) -> f64 + Send + Sync + 'static) -> Self {
        Self { mean_cost: Some(Box::new(mean)), ..self }
    }

    /// Sets the most numbers of influence or tape that the rule holds for one stream. Without it, rows × p are assumed.
    pub fn with_memory(self, memory: impl Fn(&Dimensions) -> f64 + Send + Sync + 'static) -> Self {
        Self { memory: Box::new(memory), ..self }
    }

    /// Marks a rule that keeps every step since the reset.
    pub fn growing(self) -> Self {
        Self { grows: true, ..self }
    }

    /// The cost model of the rule over a wiring, all skips on; `None` if the rule has none.
    pub fn cost_model(&self, wiring: &Arc<Wiring>) -> Option<Box<dyn CostModel<T>>> {
        self.build_cost.as_ref().map(|build| build(wiring))
    }

    /// Mean MACs per step, with credit and a drain at every step; `None` if the rule has no closed form in these
    /// numbers (SnAp-n from n = 2, for example).
    pub fn mean_cost(&self, means: &Means) -> Option<f64> {
        self.mean_cost.as_ref().map(|mean| mean(means))
    }

    /// Estimate of the most numbers of influence or tape that the rule holds for one stream.
    pub fn memory(&self, size: &Dimensions) -> f64 {
        (self.memory)(size)
    }
}
