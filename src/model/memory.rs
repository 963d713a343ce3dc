//! Estimates whether a model fits into memory before it is built. An exact influence matrix has rows × p
//! numbers per stream, which grows with the cube of the number of units.

use super::ModelSpec;
use crate::error::{Error, Result};
use crate::params::ParamBlockSpec;
use crate::rule::{self, Dimensions};
use crate::scalar::Real;

const GIB: f64 = (1u64 << 30) as f64;

/// Limit on systems that do not report their free memory.
const FALLBACK: f64 = 16.0 * GIB;

impl ModelSpec {
    /// Expected number of kept parameters of each block, before masks are drawn: `(1 − ω) · rows · columns` of a
    /// masked block. The second number is that of units.
    pub(crate) fn block_sizes<T: Real>(&self) -> Result<Vec<(f64, f64)>> {
        let (plan, _) = self.network.plan::<T>()?;
        let size = |block: &ParamBlockSpec| {
            let mask = self.network.layers[block.layer].mask.unwrap_or(self.mask);
            let share = if mask.on.kinds().contains(&block.kind) { 1.0 - mask.sparsity } else { 1.0 };
            (block.dense_len() as f64 * share, block.rows.len() as f64)
        };
        Ok(plan.blocks().iter().map(size).collect())
    }

    /// Estimates the bytes of a learner whose `streams` streams run these rules each: for every stream the memory of
    /// its rules and about 64 bytes of structure per parameter, and 40 bytes per parameter that all streams share.
    ///
    /// # Errors
    /// If a cell or a rule is unknown, or the network is out of range.
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

    /// Checks that a learner with these rules fits into the free memory.
    ///
    /// # Errors
    /// If it does not fit, or the specification is invalid.
    pub(crate) fn check_memory<T: Real>(&self, rules: &[&str], streams: usize) -> Result<()> {
        let units = self.network.layers.first().map_or(0, |l| l.units);
        let what = format!("{} with {units} units and {streams} streams", rules.join(" and "));
        check_memory(&what, self.memory::<T>(rules, streams)?)
    }
}

/// Free memory in bytes, as the system reports it.
fn available() -> f64 {
    let free = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    free().map_or(FALLBACK, |kib| kib * 1024.0)
}

/// Checks that `needed` bytes are free.
///
/// # Errors
/// If they are not.
pub fn check_memory(what: &str, needed: f64) -> Result<()> {
    let limit = available();
    if needed <= limit {
        return Ok(());
    }
    Err(Error::TooLarge { what: what.into(), gib: needed / GIB, limit: limit / GIB })
}
