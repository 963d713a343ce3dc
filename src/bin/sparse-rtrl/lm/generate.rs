//! `sparse-rtrl lm generate`.

use crate::failure::{Failure, IO, Outcome};
use rand::RngExt;
use sparse_rtrl::lm::Predictor;
use sparse_rtrl::lm::text::{END, TokenKind};
use sparse_rtrl::params::{Purpose, generator};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Instant;

/// Generate text from a trained model, token by token
#[derive(clap::Args)]
pub struct Args {
    /// Checkpoint of `lm train`
    checkpoint: PathBuf,
    /// Text to continue
    #[arg(long, default_value = "")]
    prompt: String,
    /// Number of tokens to generate
    #[arg(long, default_value_t = 100)]
    tokens: usize,
    /// Temperature of the softmax; 0 takes the most probable token
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Use weights in 8-bit form
    #[arg(long)]
    quantised: bool,
    /// Print the number of tokens per second on standard error
    #[arg(long)]
    time: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let run = super::read(&args.checkpoint)?;
    let vocabulary = run.vocabulary();
    if !(args.temperature.is_finite() && args.temperature >= 0.0) {
        return Err(sparse_rtrl::Error::setting(
            "temperature",
            "a finite number of at least 0",
            args.temperature,
        )
        .into());
    }
    let spec = run.training().model(vocabulary.len());
    let mut predictor = match args.quantised {
        false => Predictor::new(&spec, run.weights())?,
        true => Predictor::quantised(&spec, run.weights())?,
    };
    let mut prompt = vocabulary.encode(&args.prompt)?;
    if vocabulary.kind() == TokenKind::Words && !args.prompt.ends_with('\n') {
        prompt.pop(); // the line goes on
    }
    if prompt.is_empty() {
        prompt = vocabulary.encode("\n").unwrap_or_default();
        prompt = if prompt.is_empty() { vec![0] } else { prompt };
    }
    let mut rng = generator(args.seed, Purpose::Order);
    let (mut out, start) = (std::io::stdout().lock(), Instant::now());
    let mut last = prompt[0];
    let (mut written, mut rest) = (0, prompt[1..].iter().copied());
    while written < args.tokens {
        let logits = predictor.next(last)?;
        last = match rest.next() {
            Some(token) => token,
            None => {
                written += 1;
                choose(logits, args.temperature, rng.random())
            }
        };
        if !write_token(&mut out, vocabulary.kind(), vocabulary.token(last))? {
            return Ok(());
        }
    }
    let _ = writeln!(out);
    if args.time {
        eprintln!("{:.0} tokens/s", written as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Returns a token drawn from softmax(logits / temperature), with `random` uniform in [0, 1).
fn choose(logits: &[f32], temperature: f64, random: f64) -> u32 {
    let top = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(k, _)| k);
    if temperature == 0.0 {
        return top as u32;
    }
    let share = |logit: f32| (f64::from(logit - logits[top]) / temperature).exp();
    let total: f64 = logits.iter().map(|&logit| share(logit)).sum();
    let mut left = random * total;
    for (k, &logit) in logits.iter().enumerate() {
        left -= share(logit);
        if left < 0.0 {
            return k as u32;
        }
    }
    top as u32
}

/// Writes a token. Returns false if the reader of the output is gone.
fn write_token(out: &mut impl Write, kind: TokenKind, token: &str) -> Outcome<bool> {
    let written = match kind {
        TokenKind::Words if token == END => out.write_all(b"\n"),
        TokenKind::Words => write!(out, "{token} "),
        TokenKind::Characters => out.write_all(token.as_bytes()),
    };
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(IO, format!("cannot write to standard output: {error}"))),
    }
}
