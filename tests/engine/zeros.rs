//! Counts of zeros by reason against the influence matrix, entry by entry.

use sparse_rtrl::cell::{self, CellConfig};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::metrics::{DenseSize, ReachedColumns, Zeros};
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Init, Kind, MaskOn, MaskSpec, Purpose, generator};
use sparse_rtrl::rule::{self, Influence, RtrlDense, Rule, Skips};
use sparse_rtrl::wiring::{State, Step};

/// Y row by row from the oracle, for all cells, masks and depths; every entry is classified by its
/// value.
#[test]
fn zeros_of_every_cell_equal_a_count_of_the_matrix_by_reason() {
    let mut seen = Zeros::default();
    for entry in cell::registry::<f64>() {
        for (sparsity, depth) in [(0.0, 1), (0.6, 1), (0.6, 2)] {
            let layer = LayerSpec::new(entry.name, 6, CellConfig::default());
            let spec = NetworkSpec { inputs: 2, layers: vec![layer; depth], trace: None };
            let mask = MaskSpec { sparsity, on: MaskOn::All, ..Default::default() };
            let mut rng = generator(3, Purpose::Mask);
            let net = Network::<f64>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
            let wiring = net.wiring();
            let w = Init::default().draw(wiring.layout(), &mut generator(4, Purpose::Init)).unwrap();
            let p = w.len();
            let (units, dense) = (wiring.units(), DenseSize::new(wiring));
            let unmasked = wiring.unmasked();
            assert_eq!(dense.all, units.len() * unmasked.parameters());
            assert_eq!(dense.recurrent, units.len() * depth * 36 * gates(wiring));

            let mut rule = (rule::find("rtrl").unwrap().build)(wiring, Skips::ALL, 0);
            // On the masked wiring; the oracle of the registry would have columns for pruned
            // parameters as well.
            let mut oracle: Box<dyn Rule<f64>> = Box::new(RtrlDense::new(wiring.clone()));
            let mut param = (rule::find("rtrl-param").unwrap().build)(wiring, Skips::NONE, 0);
            let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
            let (mut macs, mut reached) = (Macs::default(), ReachedColumns::new(wiring));
            let mut active = vec![false; wiring.sources().len()];
            let recurrent = wiring.layout().of_kind(Kind::Recurrent);
            for t in 0..12 {
                // The second input is zero at first.
                let x = [2.0 * (1.3 * t as f64).sin(), if t < 4 { 0.0 } else { 1.0 }];
                net.advance(&w, &x, &state, &mut step, &mut macs);
                state.follow(&step);
                for rule in [&mut rule, &mut oracle, &mut param] {
                    rule.observe(&step, &mut macs);
                }
                active.iter_mut().zip(&step.phi).for_each(|(active, &phi)| *active |= phi != 0.0);

                let (mut zeros, mut influence) = (Zeros::default(), Influence::default());
                zeros.masked = (dense.all - units.len() * p) as u64;
                for row in emission_rows(oracle.as_mut(), wiring, p) {
                    let unit = row.unit;
                    for (column, (_, source)) in wiring.layout().weights().entries().enumerate() {
                        let y = row.entries.as_ref().map(|entries| entries[column]);
                        if step.e[unit] == 0.0 && step.e_bar[unit] == 0.0 {
                            assert_eq!(y.unwrap_or(0.0), 0.0);
                            zeros.rows += 1;
                        } else if !active[source] {
                            assert_eq!(y.unwrap_or(0.0), 0.0);
                            zeros.columns += 1;
                        }
                        if y.is_some_and(|y| y != 0.0) {
                            influence.nonzero += 1;
                            influence.recurrent += usize::from(recurrent[column]);
                        }
                    }
                }
                assert_eq!(reached.observe(wiring, &step, dense), zeros, "{} step {t}", entry.name);
                let exact = oracle.influence().unwrap();
                for rule in [&mut rule, &mut oracle, &mut param] {
                    let got = rule.influence().unwrap();
                    if depth == 1 {
                        assert_eq!((got.nonzero, got.recurrent), (influence.nonzero, influence.recurrent));
                    } else {
                        assert_eq!(got.nonzero, exact.nonzero);
                        assert_eq!(got.recurrent, exact.recurrent);
                    }
                }
                seen += zeros;
            }
        }
    }
    assert!(
        seen.masked > 0 && seen.rows > 0 && seen.columns > 0,
        "expected zeros of every reason, got {seen:?}"
    );
}

fn gates(wiring: &sparse_rtrl::wiring::Wiring) -> usize {
    let blocks = wiring.layout().blocks().iter();
    blocks.filter(|b| b.spec.kind == Kind::Recurrent && b.spec.layer == 0).count()
}

/// A row of Y; only rows of the last layer have entries, since only they are read out.
struct EmissionRow {
    unit: usize,
    entries: Option<Vec<f64>>,
}

fn emission_rows(
    rule: &mut dyn Rule<f64>,
    wiring: &sparse_rtrl::wiring::Wiring,
    p: usize,
) -> Vec<EmissionRow> {
    let outputs = wiring.outputs();
    let row = |&unit: &usize| {
        let entries = outputs.contains(&unit).then(|| {
            let mut credit = vec![0.0; outputs.len()];
            credit[unit - outputs.start] = 1.0;
            let mut entries = vec![0.0; p];
            rule.credit(&credit, &mut Macs::default());
            rule.drain(&mut entries, &mut Macs::default());
            entries
        });
        EmissionRow { unit, entries }
    };
    wiring.units().iter().map(row).collect()
}
