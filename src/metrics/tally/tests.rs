use super::*;
use approx::assert_relative_eq;

/// Four event units over two steps.
#[test]
fn tally_of_known_steps_equals_shares_by_hand() {
    let layer = crate::network::LayerSpec::new("egru", 4, crate::cell::CellConfig::default());
    let spec = crate::network::NetworkSpec { inputs: 1, layers: vec![layer], trace: None };
    let net = crate::network::Network::<f64>::new(&spec, |blocks| {
        Ok(blocks.iter().map(|b| crate::sparse::Pattern::full(b.rows.len(), b.cols.len())).collect())
    });
    let net = net.unwrap();
    let wiring = net.wiring();
    let mut step = Step::new(wiring);
    let mut fill = |y: [f64; 4], slope: [f64; 4], e: [f64; 4]| {
        for (k, &row) in wiring.units().iter().enumerate() {
            (step.y[row], step.slope[row], step.e[row]) = (y[k], slope[k], e[k]);
        }
        step.clone()
    };
    let first = fill([0.0, 0.0, 0.5, 0.2], [0.0, 0.3, 0.0, 0.1], [0.0, 0.1, 1.0, 1.2]);
    let second = fill([0.0, 0.0, 0.0, 0.2], [0.0, 0.0, 0.0, 0.1], [0.0, 0.0, 0.0, 1.2]);
    let mut tally = Tally::default();
    let steep = tally.observe(wiring, &first, None);
    assert_eq!(steep, 0.5);
    assert!(tally.beta_product().is_nan(), "the first step has no predecessor");
    let steep = tally.observe(wiring, &second, Some(steep));
    assert_eq!(steep, 0.25);
    tally.observe(wiring, &second, Some(steep));
    assert_relative_eq!(tally.activity_sparsity(), 8.0 / 12.0);
    assert_relative_eq!(tally.backward_sparsity(), 8.0 / 12.0);
    assert_relative_eq!(tally.live_share(), 5.0 / 12.0);
    assert_relative_eq!(tally.beta_product(), (0.5 * 0.25 + 0.25 * 0.25) / 2.0);

    let dense = DenseSize { all: 100, recurrent: 50 };
    let zeros = Zeros { masked: 20, rows: 40, columns: 10 };
    tally.influence(Influence { held: 30, nonzero: 10, recurrent: 5 }, zeros, dense);
    let zeros = Zeros { masked: 20, rows: 80, columns: 0 };
    tally.influence(Influence { held: 10, nonzero: 0, recurrent: 0 }, zeros, dense);
    tally.loss(3.0);
    tally.loss(1.0);
    for correct in [true, true, false, true] {
        tally.decision(correct);
    }
    tally.fidelity(Fidelity { cosine: 0.5, error: 1.0 });
    tally.fidelity(Fidelity { cosine: 1.0, error: 0.0 });
    let mut twice = tally;
    twice.merge(&tally);
    for t in [tally, twice] {
        assert_relative_eq!(t.influence_held(), 0.2);
        assert_relative_eq!(t.influence_density(), 0.05);
        assert_relative_eq!(t.influence_density_recurrent(), 0.05);
        assert_relative_eq!(t.columns_masked(), 0.2);
        assert_relative_eq!(t.rows_without_derivative(), 0.6);
        assert_relative_eq!(t.columns_inactive(), 0.05);
        assert_relative_eq!(t.mean_loss(), 2.0);
        assert_relative_eq!(t.accuracy(), 0.75);
        assert_relative_eq!(t.gradient_cosine(), 0.75);
        assert_relative_eq!(t.gradient_error(), 0.5);
        assert_relative_eq!(t.activity_sparsity(), 8.0 / 12.0);
        assert_relative_eq!(t.beta_product(), 0.09375);
    }
    assert_eq!((twice.steps, twice.supervised), (6, 4));
}

/// No sum is equal in both tallies. The means of an empty tally are NaN.
#[test]
fn merge_of_two_tallies_adds_every_sum() {
    let some = |k: u64| {
        let real = k as f64;
        Tally {
            steps: 2 * k,
            units: 100 * k,
            silent: 31 * k * k,
            flat: 37 * k * k,
            live: 41 * k * k,
            pairs: 7 * k,
            product: 1.5 * real * real,
            held: 43 * k * k,
            nonzero: 47 * k * k,
            recurrent: 53 * k * k,
            zeros: Zeros { masked: 59 * k * k, rows: 61 * k * k, columns: 67 * k * k },
            dense: 1000 * k,
            dense_recurrent: 500 * k,
            loss: 2.5 * real * real,
            supervised: 3 * k,
            correct: 2 * k * k,
            decided: 11 * k,
            compared: 13 * k,
            cosine: 3.5 * real * real,
            error: 4.5 * real * real,
            macs: Macs { forward: k * k, ..Macs::default() },
        }
    };
    let mut merged = some(1);
    merged.merge(&some(3));
    // k² of both over k of both: 10 / 4.
    let ratio = 2.5;
    for (found, expected) in [
        (merged.activity_sparsity(), 0.31),
        (merged.backward_sparsity(), 0.37),
        (merged.live_share(), 0.41),
        (merged.beta_product(), 1.5 / 7.0),
        (merged.influence_held(), 0.043),
        (merged.influence_density(), 0.047),
        (merged.influence_density_recurrent(), 0.106),
        (merged.columns_masked(), 0.059),
        (merged.rows_without_derivative(), 0.061),
        (merged.columns_inactive(), 0.067),
        (merged.mean_loss(), 2.5 / 3.0),
        (merged.accuracy(), 2.0 / 11.0),
        (merged.gradient_cosine(), 3.5 / 13.0),
        (merged.gradient_error(), 4.5 / 13.0),
    ] {
        assert_relative_eq!(found, ratio * expected, max_relative = 1e-12);
    }
    assert_eq!((merged.steps, merged.supervised, merged.macs.forward), (8, 12, 10));
    let none = Tally::default();
    for value in [none.mean_loss(), none.accuracy(), none.beta_product(), none.gradient_error()] {
        assert!(value.is_nan());
    }
}
