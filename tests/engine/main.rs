//! The engine: cells, rules, MAC counts, determinism, and the layers of the source. One binary, because each one links the library again.

mod architecture;
mod claims;
#[path = "../common/mod.rs"]
mod common;
mod derivatives;
mod determinism;
mod golden;
mod ledger;
mod predictions;
mod rules;
mod scenario;
mod subnormal;
mod zeros;
