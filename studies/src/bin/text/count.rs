//! Prequential context-count models, the baselines for text.
//!
//! Witten–Bell (I. H. Witten & T. C. Bell, *The zero-frequency problem*, IEEE Transactions on
//! Information Theory 37(4), 1991), interpolated:
//!
//! `p_k(b) = (c(b) + u p_{k−1}(b)) / (n + u)`
//!
//! where c(b) is the number of times that b followed the last k bytes, n = Σ_b c(b), u the number
//! of distinct bytes with c(b) > 0, and `p_{−1} = 1/256`.

use std::collections::HashMap;

/// Counts of the bytes that followed a context.
#[derive(Default)]
struct Counts {
    total: f64,
    of: HashMap<u8, f64>,
}

/// Returns the code length of every byte in bits, from contexts of up to `order` preceding bytes.
pub fn witten_bell(text: &[u8], order: usize) -> Vec<f64> {
    let mut contexts: Vec<HashMap<&[u8], Counts>> = (0..=order).map(|_| HashMap::new()).collect();
    let mut lengths = Vec::with_capacity(text.len());
    for (t, byte) in text.iter().enumerate() {
        let mut p = 1.0 / 256.0;
        for (k, counts) in contexts.iter_mut().enumerate().take(t + 1) {
            let counts = counts.entry(&text[t - k..t]).or_default();
            let (seen, kinds) = (counts.of.get(byte).copied().unwrap_or(0.0), counts.of.len() as f64);
            if counts.total > 0.0 {
                p = (seen + kinds * p) / (counts.total + kinds);
            }
            *counts.of.entry(*byte).or_default() += 1.0;
            counts.total += 1.0;
        }
        lengths.push(-p.log2());
    }
    lengths
}
