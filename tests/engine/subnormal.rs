//! No stored number is subnormal, for every cell with every rule, every optimiser, filter and
//! scaler, after 20,000 steps in which influence, adjoints and moments decay to zero.

use sparse_rtrl::archive::{Archive, Field};
use sparse_rtrl::cell::{self, Surrogate};
use sparse_rtrl::learner::online::{Grouping, LeastSquares, StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::optim;
use sparse_rtrl::params::{Init, MaskSpec, Purpose, generator};
use sparse_rtrl::readout::Target;
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::scalar::Real;
use sparse_rtrl::wiring::{State, Step};

const STEPS: usize = 20_000;

/// Whether `x` is subnormal in the type named by `kind`.
fn is_subnormal(kind: &str, x: f64) -> bool {
    let least = if kind.contains("f32") { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    x != 0.0 && x.abs() < least
}

fn numbers(value: &serde_json::Value, found: &mut Vec<f64>) {
    match value {
        serde_json::Value::Number(x) => found.extend(x.as_f64()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| numbers(value, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| numbers(value, found)),
        _ => (),
    }
}

/// Fails if a field holds a subnormal number. Returns the number of checked numbers.
fn check(fields: Vec<Field>, label: &str) -> usize {
    let mut count = 0;
    for Field { name, kind, value } in fields {
        let mut found = Vec::new();
        numbers(&value, &mut found);
        count += found.len();
        if let Some(x) = found.into_iter().find(|&x| is_subnormal(kind, x)) {
            panic!("{label}: {x:e} is stored in {name} ({kind})");
        }
    }
    count
}

/// One input is zero after 100 steps, the other after 10,000. From then on only stored values are
/// nonzero.
fn input<T: Real>(t: usize) -> [T; 2] {
    let wave = |from: usize, to: usize, rate: f64| {
        if (from..to).contains(&t) { (rate * t as f64).sin() } else { 0.0 }
    };
    [T::of(wave(0, 100, 0.7)), T::of(wave(0, STEPS / 2, 0.3))]
}

/// Small weights and a wide pseudo-derivative, so that all influence decays.
fn networks<T: Real>() -> Vec<(String, Network<T>, Vec<T>)> {
    let mut all = Vec::new();
    for entry in cell::registry::<T>() {
        for (k, mut config) in (entry.variants)().into_iter().enumerate() {
            config.surrogate = Surrogate::new(0.7, 2.0);
            for trace in if k == 0 { vec![None, Some(0.5)] } else { vec![None] } {
                let layer = LayerSpec::new(entry.name, 3, config);
                let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace };
                let mask = MaskSpec { sparsity: 0.3, ..MaskSpec::default() };
                let mut rng = generator(3, Purpose::Mask);
                let network = Network::<T>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
                let layout = network.wiring().layout();
                let mut w = Init::default().draw::<T>(layout, &mut generator(3, Purpose::Init)).unwrap();
                w.iter_mut().for_each(|w| *w *= T::of(0.5));
                let label = format!("{} {config:?} trace {trace:?}", entry.name);
                all.push((label, network, w));
            }
        }
    }
    all
}

/// Runs all rules with decaying credit, and checks the pending gradients before they are drained.
fn run_fading_credit<T: Real>(label: &str, network: &Network<T>, w: &[T]) -> usize {
    let wiring = network.wiring();
    let (mut numbers, least) = (0, T::min_positive_value().as_f64());
    for entry in rule::registry::<T>() {
        let mut rule = (entry.build)(wiring, Skips::ALL, 1);
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let (mut gradient, mut macs) = (vec![T::zero(); w.len()], Macs::default());
        // From 1e20 times the least normal number to 1e-6 times it.
        for t in 0..300 {
            network.advance(w, &input::<T>(t % 90), &state, &mut step, &mut macs);
            state.follow(&step);
            rule.observe(&step, &mut macs);
            let size = least * 10f64.powf(20.0 - 26.0 * t as f64 / 300.0);
            let credit: Vec<T> = wiring.outputs().map(|row| T::of(size * (1.0 + 0.1 * row as f64))).collect();
            rule.credit(&credit, &mut macs);
            if t % 7 == 3 {
                let fields = Archive::survey(|a| rule.archive(a)).unwrap();
                numbers += check(fields, &format!("{label} {} credit {size:e}", entry.name));
            }
            if t % 20 == 19 {
                rule.drain(&mut gradient, &mut macs);
                let drained = gradient.iter().find(|g| is_subnormal(std::any::type_name::<T>(), g.as_f64()));
                assert_eq!(drained, None, "{label} {}: the gradient at step {t}", entry.name);
                gradient.fill(T::zero());
            }
        }
    }
    numbers
}

#[test]
fn rules_with_fading_credit_store_no_subnormal_number() {
    for (label, network, w) in networks::<f32>() {
        assert!(run_fading_credit(&label, &network, &w) > 1000, "{label}: expected more than 1000 numbers");
    }
    for (label, network, w) in networks::<f64>().into_iter().step_by(3) {
        assert!(run_fading_credit(&label, &network, &w) > 1000, "{label}: expected more than 1000 numbers");
    }
}

/// Imported weights, and inputs that are not standardised and are held until their target is known.
#[test]
fn online_learner_given_tiny_weights_and_inputs_stores_no_subnormal_number() {
    let mut spec = StreamLearnerSpec::new(2, 3, 1);
    (spec.horizon, spec.trainer, spec.standardise) = (2, Trainer::Untrained, vec![false; 2]);
    spec.least_squares = Some(LeastSquares { variance: 10.0, forgetting: 0.99 });
    let drawn = StreamLearner::<f32>::new(&spec, 0).unwrap();
    let mut learner = StreamLearner::<f32>::with_weights(
        &spec,
        0,
        |blocks| spec.model.mask.draw(blocks, &mut generator(0, Purpose::Mask)),
        |_| Ok(vec![1e-40; drawn.weights().len()]),
    )
    .unwrap();
    for t in 0..50 {
        learner.step(&[1e-40, -1e-42], Some(Target::Values(&[(0.2 * f64::from(t)).cos()]))).unwrap();
        assert!(check(Archive::survey(|a| learner.archive(a)).unwrap(), &format!("step {t}")) > 100);
    }
}

/// Runs every rule on one network, with credit and a drain every 50 steps.
fn run_rules<T: Real>(label: &str, network: &Network<T>, w: &[T]) -> usize {
    let wiring = network.wiring();
    let mut numbers = 0;
    let entries = rule::registry::<T>().into_iter().filter(|entry| !entry.grows);
    let mut rules: Vec<_> = entries.map(|entry| ((entry.build)(wiring, Skips::ALL, 1), entry.name)).collect();
    let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
    let (mut gradient, mut macs) = (vec![T::zero(); w.len()], Macs::default());
    let credit: Vec<T> = wiring.outputs().map(|row| T::of(0.1 + 0.01 * row as f64)).collect();
    for t in 0..STEPS {
        network.advance(w, &input::<T>(t), &state, &mut step, &mut macs);
        state.follow(&step);
        for (rule, name) in &mut rules {
            rule.observe(&step, &mut macs);
            if t % 50 == 49 {
                rule.credit(&credit, &mut macs);
                rule.drain(&mut gradient, &mut macs);
                let drained = gradient.iter().find(|g| is_subnormal(std::any::type_name::<T>(), g.as_f64()));
                assert_eq!(drained, None, "{label} {name}: the gradient at step {t}");
                gradient.fill(T::zero());
            }
            // Also while numbers decay, not only at the end.
            if t % 1000 == 150 || t + 1 == STEPS {
                numbers +=
                    check(Archive::survey(|a| rule.archive(a)).unwrap(), &format!("{label} {name} step {t}"));
            }
        }
        if t % 1000 == 150 || t + 1 == STEPS {
            numbers += check(Archive::survey(|a| step.archive(a)).unwrap(), &format!("{label} step {t}"));
        }
    }
    numbers
}

#[test]
fn rules_after_20000_fading_steps_store_no_subnormal_number_f32() {
    for (label, network, w) in networks::<f32>() {
        assert!(run_rules(&label, &network, &w) > 1000, "{label}: expected more than 1000 numbers");
    }
}

#[test]
fn rules_after_20000_fading_steps_store_no_subnormal_number_f64() {
    for (label, network, w) in networks::<f64>().into_iter().step_by(3) {
        assert!(run_rules(&label, &network, &w) > 1000, "{label}: expected more than 1000 numbers");
    }
}

fn run_optimisers<T: Real>() {
    for entry in optim::registry::<T>() {
        let scales = [1.0, 1e-12, 1e-18, 1e-22, 1e-30, 1e-36];
        let mut optimiser = (entry.build)(scales.len(), 1e-3);
        let mut w = vec![T::zero(); scales.len()];
        for t in 0..STEPS {
            let size = if t < 10 { 1.0 } else { 0.0 };
            let gradient: Vec<T> = scales.iter().map(|scale| T::of(size * scale)).collect();
            optimiser.update(&mut w, &gradient);
            let subnormal = w.iter().find(|w| is_subnormal(std::any::type_name::<T>(), w.as_f64()));
            assert_eq!(subnormal, None, "{}: a weight at step {t}", entry.name);
        }
        let fields = Archive::survey(|a| optimiser.archive(a)).unwrap();
        assert!(check(fields, entry.name) > 0);
    }
}

#[test]
fn optimisers_after_20000_steps_store_no_subnormal_number() {
    run_optimisers::<f32>();
    run_optimisers::<f64>();
}

/// The online learner with each trainer. Inputs and targets decay until their squares are
/// subnormal.
#[test]
fn online_learner_after_20000_fading_steps_stores_no_subnormal_number() {
    let kalman = |grouping| Trainer::Kalman {
        grouping,
        variance: 3.0,
        error_variance: 0.3,
        forgetting: 0.999,
        noise: 0.0,
    };
    let trainers = [StreamLearnerSpec::new(2, 3, 1).trainer, kalman(Grouping::Node), kalman(Grouping::Full)];
    for trainer in trainers {
        for cell in cell::registry::<f32>() {
            let mut spec = StreamLearnerSpec::new(2, 3, 1);
            spec.model.network.layers[0].cell = cell.name.into();
            spec.trainer = trainer.clone();
            spec.least_squares = Some(LeastSquares { variance: 10.0, forgetting: 0.99 });
            let label = format!("{} {trainer:?}", cell.name);
            let mut learner = StreamLearner::<f32>::new(&spec, 0).unwrap();
            for t in 0..STEPS {
                let fading = 1e-3f64.powf(t as f64 / 200.0);
                let x = if t < 15_000 { [fading, (0.1 * t as f64).sin()] } else { [0.0, 0.0] };
                learner.step(&x, Some(Target::Values(&[fading * (0.2 * t as f64).cos()]))).unwrap();
            }
            let fields = Archive::survey(|a| learner.archive(a)).unwrap();
            assert!(check(fields, &label) > 100);
        }
    }
}
