//! Estimates of the memory of a model before it is built. An exact influence matrix has rows × p
//! entries per stream: the cube of the number of units, up to a factor.

use super::ModelSpec;
use crate::error::{Error, Result};
use crate::params::ParamBlockSpec;
use crate::rule::{self, Dimensions};
use crate::scalar::Real;

const GIB: f64 = (1u64 << 30) as f64;

/// Assumed free memory on systems that do not report it.
const FALLBACK: f64 = 16.0 * GIB;

impl ModelSpec {
    /// Returns two numbers per block: the expected number of kept parameters, `(1 − ω) · rows ·
    /// columns` for a masked block, and the number of units.
    pub(crate) fn block_sizes<T: Real>(&self) -> Result<Vec<(f64, f64)>> {
        let (plan, _) = self.network.plan::<T>()?;
        let size = |block: &ParamBlockSpec| {
            let mask = self.network.layers[block.layer].mask.unwrap_or(self.mask);
            let share = if mask.on.kinds().contains(&block.kind) { 1.0 - mask.sparsity } else { 1.0 };
            (block.dense_len() as f64 * share, block.rows.len() as f64)
        };
        Ok(plan.blocks().iter().map(size).collect())
    }

    /// Estimates the bytes of a learner with `streams` streams, each with these rules.
    ///
    /// The estimate contains, per stream, the memory of the rules and 64 bytes per parameter, and
    /// 40 bytes per parameter that all streams share.
    ///
    /// # Errors
    /// If a cell or a rule is unknown, or a number of the network is out of range.
    pub fn memory<T: Real>(&self, rules: &[&str], streams: usize) -> Result<f64> {
        let (plan, _) = self.network.plan::<T>()?;
        let p = self.block_sizes::<T>()?.iter().map(|size| size.0).sum::<f64>();
        let dense = plan.blocks().iter().map(|b| b.dense_len() as f64).sum();
        let size = Dimensions { rows: plan.rows() as f64, parameters: p, dense_parameters: dense };
        let mut numbers = 0.0;
        for name in rules {
            numbers += rule::find::<T>(name)?.memory(&size);
        }
        Ok(streams as f64 * (numbers * size_of::<T>() as f64 + 64.0 * p) + 40.0 * p)
    }

    /// Checks that a learner with `streams` streams, each with these rules, fits into the free
    /// memory. Without rules, the network is not trained.
    ///
    /// # Errors
    /// If the learner needs more than the free memory, or the specification is invalid.
    pub(crate) fn check_memory<T: Real>(&self, rules: &[&str], streams: usize) -> Result<()> {
        let units = self.network.layers.first().map_or(0, |l| l.units);
        let name = if rules.is_empty() { "an untrained network".into() } else { rules.join(" and ") };
        let what = format!("{name} with {units} units and {streams} streams");
        check_memory(&what, self.memory::<T>(rules, streams)?)
    }
}

/// Returns the free memory in bytes, as reported by the system.
fn available() -> f64 {
    let free = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    free().map_or(FALLBACK, |kib| kib * 1024.0)
}

/// Checks that `needed` bytes are free. `what` names the object in the error message.
///
/// # Errors
/// If fewer bytes are free.
pub fn check_memory(what: &str, needed: f64) -> Result<()> {
    let limit = available();
    if needed <= limit {
        return Ok(());
    }
    Err(Error::TooLarge { what: what.into(), gib: needed / GIB, limit: limit / GIB })
}
