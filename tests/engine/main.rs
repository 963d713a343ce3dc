//! Tests of cells, rules, MAC counts, determinism and the module order. They are one binary,
//! because each test binary links the library.

mod architecture;
mod claims;
#[path = "../common/mod.rs"]
mod common;
mod derivatives;
mod determinism;
mod golden;
mod ledger;
mod lm_golden;
mod predictions;
mod rules;
mod scenario;
mod subnormal;
mod zeros;
