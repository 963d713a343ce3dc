//! The kernels, and a full step (network, influence, gradient) over sizes and sparsities. `cargo bench --bench kernels`; a name after `--`
//! filters, as in `cargo bench --bench kernels -- "step/egru/n=64"`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sparse_rtrl::cell::{CellConfig, ResetGate, Surrogate};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Init, MaskSpec, Purpose, generator};
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::sparse::lanes::{self, Lanes, ROWS, combine, combine_dense, combine_two};
use sparse_rtrl::sparse::{Pattern, kernel};
use sparse_rtrl::wiring::{State, Step};
use std::hint::black_box;

const COLUMNS: usize = 128;

/// Sums of many blocks, by the machine's vector units.
struct Sums<'a> {
    /// Terms of one line, and of another.
    terms: [&'a [(f32, u32)]; 2],
    coefficients: &'a [[f32; ROWS]],
    from: &'a [Lanes<f32, COLUMNS>],
    lines: usize,
}

impl lanes::Loop for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { terms, coefficients, from, lines } = self;
        let zero = [0.0f32; COLUMNS];
        // All of each sum must be seen: of one that is not, nothing would be made.
        match lines {
            1 => drop(black_box(combine::<f32, FUSED, COLUMNS>(zero, terms[0], from))),
            2 => drop(black_box(combine_two::<f32, FUSED, COLUMNS>([zero; 2], terms, from))),
            _ => {
                let mut sums = [zero; ROWS];
                combine_dense::<f32, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, coefficients, from);
                black_box(&sums);
            }
        }
    }
}

fn kernels(c: &mut Criterion) {
    let arch = pulp::Arch::new();
    let mut group = c.benchmark_group("kernel");
    for sources in [4usize, 16, 64] {
        let from = vec![Lanes([0.5f32; COLUMNS]); sources];
        let terms: Vec<_> = (0..sources).map(|j| (0.01, j as u32)).collect();
        let others: Vec<_> = terms.iter().rev().copied().collect();
        let coefficients = vec![[0.01f32; ROWS]; sources];
        for (name, lines) in [("combine", 1), ("combine_two", 2), ("combine_dense", ROWS)] {
            group.throughput(Throughput::Elements((sources * COLUMNS * lines) as u64)); // MACs
            group.bench_function(BenchmarkId::new(name, sources), |b| {
                b.iter(|| {
                    let sums = Sums {
                        terms: [&terms, &others],
                        coefficients: &coefficients,
                        from: black_box(&from),
                        lines,
                    };
                    lanes::dispatch(arch, sums)
                });
            });
        }
    }
    let n = 256;
    let pattern = Pattern::new(n, n, (0..n * n).filter(|k| k % 10 == 3).map(|k| (k / n, k % n)).collect());
    let (values, x) = (vec![0.5f32; pattern.len()], vec![1.0f32; n]);
    group.throughput(Throughput::Elements(pattern.len() as u64));
    group.bench_function("product", |b| {
        let mut out = vec![0.0f32; n];
        b.iter(|| kernel::product(black_box(&mut out), &pattern, &values, &x, 0..n));
    });
    // Three in ten sources are nonzero: column by column.
    let some: Vec<f32> = (0..n).map(|j| f32::from(u8::from(j % 10 < 3))).collect();
    group.throughput(Throughput::Elements(pattern.len() as u64 * 3 / 10));
    group.bench_function("product of few", |b| {
        let mut out = vec![0.0f32; n];
        b.iter(|| kernel::product(black_box(&mut out), &pattern, &values, &some, 0..n));
    });
    group.throughput(Throughput::Elements(pattern.len() as u64));
    group.bench_function("transposed_entry", |b| {
        b.iter(|| {
            (0..n).map(|j| kernel::transposed_entry(&pattern, &values, black_box(&x), j).0).sum::<f32>()
        });
    });
    group.finish();
}

/// A network on random input, its pseudo-derivative wide enough (event RNN) or its thresholds low enough (EGRU) for about `live` units in one to
/// have a derivative.
fn network(cell: &str, n: usize, kept: f64, live: f64) -> (Network<f32>, Vec<f32>) {
    let epsilon = if live == 1.0 { 1e6 } else { live };
    let config = CellConfig {
        reset_gate: ResetGate::After,
        surrogate: Surrogate::new(0.7, epsilon),
        ..CellConfig::default()
    };
    let inputs = if cell == "egru" { 32 } else { 2 };
    let spec = NetworkSpec { inputs, layers: vec![LayerSpec::new(cell, n, config)], trace: None };
    let mask = MaskSpec { sparsity: 1.0 - kept, ..MaskSpec::default() };
    let mut rng = generator(0, Purpose::Mask);
    let net =
        Network::<f32>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).expect("a sound specification");
    let w = Init::default().draw(net.wiring().layout(), &mut generator(0, Purpose::Init)).expect("as above");
    (net, w)
}

fn steps(c: &mut Criterion) {
    for cell in ["event-rnn", "egru"] {
        for n in [16, 32, 64, 128, 256, 512] {
            for kept in [1.0, 0.5, 0.2, 0.1] {
                // A gigabyte of influence tells nothing that a quarter of it does not.
                if n == 512 && kept > 0.2 {
                    continue;
                }
                let mut group = c.benchmark_group(format!("step/{cell}/n={n}/kept={kept}"));
                group.sample_size(10);
                for live in [1.0, 0.5, 0.3] {
                    let (net, w) = network(cell, n, kept, live);
                    let wiring = net.wiring();
                    let mut rule =
                        (rule::find::<f32>("rtrl").expect("registered").build)(wiring, Skips::ALL, 0);
                    let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
                    let credit = vec![0.1f32; wiring.outputs().len()];
                    let mut gradient = vec![0.0f32; w.len()];
                    let mut t = 0.0f32;
                    group.bench_function(BenchmarkId::new("live", live), |b| {
                        b.iter(|| {
                            t += 1.0;
                            let x: Vec<f32> =
                                (0..wiring.inputs()).map(|k| (t * (k + 1) as f32).sin()).collect();
                            let mut macs = Macs::default();
                            net.advance(&w, &x, &state, &mut step, &mut macs);
                            state.follow(&step);
                            rule.observe(&step, &mut macs);
                            rule.credit(&credit, &mut macs);
                            rule.drain(&mut gradient, &mut macs);
                            black_box(macs)
                        });
                    });
                }
                group.finish();
            }
        }
    }
}

criterion_group!(benches, kernels, steps);
criterion_main!(benches);
