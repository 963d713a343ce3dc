//! The command line and the examples, run as programs.

mod embed;
#[path = "../common/example.rs"]
mod examples;
#[cfg(all(unix, feature = "cli"))]
mod kill;
#[cfg(all(unix, feature = "cli"))]
mod lm_cli;
#[cfg(all(unix, feature = "cli"))]
#[path = "../common/program.rs"]
mod programs;
mod spiral_cli;
#[cfg(all(unix, feature = "cli"))]
mod stream_cli;
