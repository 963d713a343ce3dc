use super::*;
use crate::cell::{EventReset, ResetGate};
use crate::lm::{Carry, LanguageModel, LmCell, LmState, Mode, Window};
use crate::params::{Purpose, generator};
use rand::RngExt;

const V: usize = 150;

/// All cells, with both reset gates and both event resets of an EGRU. Widths are no multiples of 64.
fn specs() -> Vec<LmSpec> {
    let spec = |cell| LmSpec { cell, ..LmSpec::new(V, 70, vec![90, 70]) };
    let mut all = vec![spec(LmCell::Gru), spec(LmCell::Lstm)];
    for reset_gate in [ResetGate::After, ResetGate::Before] {
        for event_reset in [EventReset::Threshold, EventReset::Output] {
            let mut own = spec(LmCell::Egru);
            (own.config.reset_gate, own.config.event_reset) = (reset_gate, event_reset);
            all.push(own);
        }
    }
    all
}

/// Random weights, with thresholds in [0, 0.3) and small biases of the softmax.
fn weights(spec: &LmSpec) -> Vec<f32> {
    let layout = LmLayout::new(spec);
    let mut rng = generator(5, Purpose::Init);
    let mut w: Vec<f32> = (0..layout.len).map(|_| 0.8 * (rng.random::<f32>() - 0.5)).collect();
    w[layout.bias.clone()].iter_mut().for_each(|b| *b *= 0.01);
    for theta in layout.layers.iter().filter_map(|layer| layer.theta.clone()) {
        w[theta].iter_mut().for_each(|theta| *theta = 0.3 * rng.random::<f32>());
    }
    w
}

fn tokens(n: usize) -> Vec<u32> {
    let mut rng = generator(6, Purpose::Data);
    (0..n).map(|_| rng.random_range(0..V as u32)).collect()
}

/// The largest difference, relative to the largest entry.
fn worst(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len(), "both must have the same length");
    let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    got.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn next_over_several_windows_returns_the_logits_of_the_model_and_its_macs() {
    for spec in specs() {
        let (w, text) = (weights(&spec), tokens(21));
        let mut model = LanguageModel::<f32>::new(&spec, Mode::Sparse).unwrap();
        let mut state = LmState::new(&spec, 1);
        let mut predictor = Predictor::new(&spec, &w).unwrap();
        let mut start = 0;
        for steps in [1, 1, 1, 5, 2, 10] {
            let window = Window { tokens: &text[start..start + steps + 1], dropout: None };
            let report = model.window(&w, &mut state, window, None);
            let (mut macs, mut dense) = (0, 0);
            for &token in &text[start..start + steps] {
                predictor.next(token).unwrap();
                (macs, dense) = (macs + predictor.macs(), dense + predictor.macs_dense());
            }
            assert!(worst(&predictor.logits, model.last_logits()) < 1e-5, "{spec:?}");
            assert_eq!((macs, dense), report.macs, "{spec:?}");
            start += steps;
        }
    }
}

#[test]
fn macs_and_activity_equal_a_count_of_nonzero_emissions() {
    for spec in specs() {
        let layout = LmLayout::new(&spec);
        let mut predictor = Predictor::new(&spec, &weights(&spec)).unwrap();
        let (e, gates) = (spec.embedding, if spec.cell == LmCell::Lstm { 4 } else { 3 });
        let mut before = vec![0; spec.sizes.len()];
        let mut events = before.clone();
        let nonzero = |layer: &EventLayer| layer.y().iter().filter(|&&y| y != 0.0).count();
        for token in tokens(10) {
            predictor.next(token).unwrap();
            let now: Vec<usize> = predictor.layers.iter().map(nonzero).collect();
            let (mut macs, mut dense, mut below) = (0, 0, (e, e));
            for (k, layer) in layout.layers.iter().enumerate() {
                let width = gates * layer.units;
                macs += (below.0 + before[k]) * width;
                dense += (below.1 + layer.units) * width;
                below = (now[k], layer.units);
            }
            assert_eq!(predictor.macs(), (macs + below.0 * V) as u64, "{spec:?}");
            assert_eq!(predictor.macs_dense(), (dense + below.1 * V) as u64, "{spec:?}");
            let share = |(&active, &n): (&usize, &usize)| active as f64 / n as f64;
            let activity: Vec<f64> = now.iter().zip(&spec.sizes).map(share).collect();
            assert_eq!(predictor.activity().collect::<Vec<_>>(), activity, "{spec:?}");
            events.iter_mut().zip(&now).for_each(|(sum, now)| *sum += now);
            before = now;
        }
        // The cells differ in activity, so the counts do.
        let share = |(&events, &n): (&usize, &usize)| events as f64 / (10 * n) as f64;
        let activity: Vec<f64> = events.iter().zip(&spec.sizes).map(share).collect();
        let range = if spec.cell == LmCell::Egru { 0.02..0.98 } else { 1.0..1.1 };
        assert!(activity.iter().all(|share| range.contains(share)), "{spec:?}: {activity:?}");
    }
}

#[test]
fn quantised_logits_differ_by_less_than_3_per_cent_until_other_units_emit() {
    let events = |predictor: &Predictor| -> Vec<Vec<u32>> {
        predictor.layers.iter().map(|layer| layer.active().iter().map(|&(_, i)| i).collect()).collect()
    };
    for spec in specs() {
        let w = weights(&spec);
        let mut single = Predictor::new(&spec, &w).unwrap();
        let mut eight = Predictor::quantised(&spec, &w).unwrap();
        let mut differences = Vec::new();
        for text in tokens(60).chunks(4) {
            single.reset();
            eight.reset();
            for &token in text {
                single.next(token).unwrap();
                eight.next(token).unwrap();
                // A unit whose c is close to its threshold may emit in one of both only.
                if events(&single) != events(&eight) {
                    break;
                }
                differences.push(worst(&eight.logits, &single.logits));
            }
        }
        assert!(differences.len() >= 30, "{spec:?}: equal events at {} tokens of 60", differences.len());
        let largest = differences.iter().copied().fold(0.0, f32::max);
        assert!(largest > 0.0 && largest < 0.03, "{spec:?}: {differences:?}");
        assert!(3 * eight.bytes() < single.bytes(), "{spec:?}");
    }
}

#[test]
fn reset_after_tokens_restores_the_first_logits() {
    for spec in specs() {
        let mut predictor = Predictor::new(&spec, &weights(&spec)).unwrap();
        let first = predictor.next(3).unwrap().to_vec();
        assert_ne!(predictor.next(3).unwrap(), first, "the state has an effect");
        predictor.reset();
        assert_eq!(predictor.macs(), 0);
        assert_eq!(predictor.next(3).unwrap(), first);
    }
}

#[test]
fn carry_of_the_emission_only_is_ignored() {
    let mut spec = specs().remove(2);
    let w = weights(&spec);
    let mut whole = Predictor::new(&spec, &w).unwrap();
    spec.carry = Carry::Emission;
    let mut emission = Predictor::new(&spec, &w).unwrap();
    for token in tokens(5) {
        assert_eq!(whole.next(token).unwrap(), emission.next(token).unwrap());
    }
}

#[test]
fn top_after_a_token_lists_the_largest_probabilities() {
    let spec = specs().remove(2);
    let mut predictor = Predictor::new(&spec, &weights(&spec)).unwrap();
    assert!(predictor.probabilities().iter().all(|p| (p - 1.0 / V as f32).abs() < 1e-7));
    predictor.next(7).unwrap();
    let all = predictor.probabilities().to_vec();
    assert!((all.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    let mut expected: Vec<(u32, f32)> = (0u32..).zip(all).collect();
    expected.sort_by(|a, b| b.1.total_cmp(&a.1));
    for k in [0, 1, 5, V, 2 * V] {
        assert_eq!(predictor.top(k), expected[..k.min(V)]);
    }
}

#[test]
fn next_with_an_unknown_token_is_an_error_and_keeps_the_state() {
    let spec = specs().remove(0);
    let w = weights(&spec);
    let (mut one, mut other) = (Predictor::new(&spec, &w).unwrap(), Predictor::new(&spec, &w).unwrap());
    let error = one.next(V as u32).unwrap_err().to_string();
    assert_eq!(error, "token: expected a number below 150, got 150");
    assert_eq!(one.next(149).unwrap(), other.next(149).unwrap());
}

#[test]
fn bytes_do_not_grow_with_tokens() {
    for spec in specs() {
        let w = weights(&spec);
        for mut predictor in [Predictor::new(&spec, &w).unwrap(), Predictor::quantised(&spec, &w).unwrap()] {
            // Capacities of lists are included.
            let bytes = predictor.bytes();
            for token in tokens(20) {
                predictor.next(token).unwrap();
            }
            assert_eq!(predictor.bytes(), bytes, "{spec:?}");
        }
    }
}

#[test]
#[should_panic(expected = "one value per parameter")]
fn new_with_too_few_weights_panics() {
    let _ = Predictor::new(&specs()[0], &[0.0; 10]);
}
