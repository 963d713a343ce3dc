//! Entries of the rule registry.

use super::cost::{CostModel, Means};
use super::{Claim, Rule, Skips, Unmasked};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// Function that builds a rule for one stream. Rules that draw random numbers use the seed.
pub type BuildRule<T> = Box<dyn Fn(&Arc<Wiring>, Skips, u64) -> Box<dyn Rule<T>> + Send + Sync>;

type BuildCost<T> = Box<dyn Fn(&Arc<Wiring>) -> Box<dyn CostModel<T>> + Send + Sync>;
type MeanCost = Box<dyn Fn(&Means) -> f64 + Send + Sync>;
type Memory = Box<dyn Fn(&Dimensions) -> f64 + Send + Sync>;

/// Dimensions of a network before its masks are drawn, for estimates of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimensions {
    /// Number of rows of S, inner rows included.
    pub rows: f64,
    /// p, number of kept parameters.
    pub parameters: f64,
    /// Number of parameters without masks.
    pub dense_parameters: f64,
}

/// A registry entry of a learning rule: name, claim, constructor and costs.
///
/// Code outside the registry does not depend on names of rules. [`registry`](super::registry())
/// returns the rules of this crate. [`RuleEntry::new`] creates an entry of your own rule, which can
/// be passed to [`check_rule`](crate::check::check_rule).
pub struct RuleEntry<T> {
    /// The name on the command line and in configurations.
    pub name: String,
    /// Description for `--help`, one line.
    pub about: &'static str,
    /// The claim about the gradient.
    pub claim: Claim,
    /// Whether the rule stores every step since the reset, so that its memory grows with the
    /// stream.
    pub grows: bool,
    /// Builds the rule for one stream.
    pub build: BuildRule<T>,
    build_cost: Option<BuildCost<T>>,
    mean_cost: Option<MeanCost>,
    memory: Memory,
}

impl<T: Real> RuleEntry<T> {
    /// Creates an entry without a cost model.
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

    /// Creates an entry of a rule with switchable skips. `build` receives the wiring and whether
    /// zeros of activity are skipped. If pruned parameters are not skipped, the rule is built on
    /// the unmasked wiring ([`Unmasked`]).
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

    /// Creates an entry from a boxed constructor.
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

    /// Adds a cost model. It predicts MACs and memory with all skips.
    #[doc(hidden)]
    pub fn with_cost<C: CostModel<T> + 'static>(
        self,
        build: impl Fn(&Arc<Wiring>) -> C + Send + Sync + 'static,
    ) -> Self {
        self.with_boxed_cost(Box::new(move |wiring| Box::new(build(wiring))))
    }

    /// Adds a boxed cost model.
    pub(super) fn with_boxed_cost(self, build: BuildCost<T>) -> Self {
        Self { build_cost: Some(build), ..self }
    }

    /// Adds the mean cost: MACs per step as a function of sizes and measured sparsities.
    #[doc(hidden)]
    pub fn with_mean_cost(self, mean: impl Fn(&Means) -> f64 + Send + Sync + 'static) -> Self {
        Self { mean_cost: Some(Box::new(mean)), ..self }
    }

    /// Sets the estimate of memory: the maximum number of *values* (not bytes) of influence or tape
    /// for one stream. A value takes `size_of::<T>()` bytes. The default is rows × p.
    pub fn with_memory(self, memory: impl Fn(&Dimensions) -> f64 + Send + Sync + 'static) -> Self {
        Self { memory: Box::new(memory), ..self }
    }

    /// Marks a rule that stores every step since the reset.
    pub fn growing(self) -> Self {
        Self { grows: true, ..self }
    }

    /// Returns the cost model with all skips, or `None` if the rule has none.
    #[doc(hidden)]
    pub fn cost_model(&self, wiring: &Arc<Wiring>) -> Option<Box<dyn CostModel<T>>> {
        self.build_cost.as_ref().map(|build| build(wiring))
    }

    /// Returns the mean MACs per step, with credit and a drain at every step. `None` if the mean
    /// cost has no closed form in `means`, for example for SnAp-n with n ≥ 2.
    #[doc(hidden)]
    pub fn mean_cost(&self, means: &Means) -> Option<f64> {
        self.mean_cost.as_ref().map(|mean| mean(means))
    }

    /// Returns an estimate of the maximum number of *values* (not bytes) of influence or tape for one
    /// stream. [`ModelSpec::memory`](crate::model::ModelSpec::memory) returns bytes.
    pub fn memory(&self, size: &Dimensions) -> f64 {
        (self.memory)(size)
    }
}
