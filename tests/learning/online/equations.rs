//! `StreamLearner` compared at every step with a reference implementation of its equations.

use super::reference::Reference;
use super::scenarios::Scenario;
use super::*;
use sparse_rtrl::scalar::Real;

const STEPS: usize = 140;

fn assert_close(name: &str, scenario: &Scenario, t: usize, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}, {}, step {t}", scenario.name);
    for (k, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a - b).abs() / (1.0 + b.abs());
        assert!(error <= tolerance, "{name} {k}, {}, step {t}: expected {b}, got {a}", scenario.name);
    }
}

/// Passes one row to both and compares all observable values.
fn compare<T: Real>(
    scenario: &Scenario,
    learner: &mut StreamLearner<T>,
    reference: &mut Reference,
    (stream, t): (usize, usize),
    tolerance: f64,
) {
    let (x, values) = (scenario.x(stream, t), scenario.values(stream, t));
    let target = scenario.target(t, &values);
    let predicts = t % 5 == 2;
    if predicts {
        let found = learner.predict_in(stream, &x).unwrap().to_vec();
        assert_close("predict", scenario, t, &found, &reference.predict(stream, &x), tolerance);
    }
    assert_eq!(learner.due(stream).is_some(), reference.due(stream).is_some(), "{}, step {t}", scenario.name);
    if let (Some(found), Some(expected)) = (learner.due(stream), reference.due(stream)) {
        assert_close("due", scenario, t, found, expected, tolerance);
    }
    let expected = reference.step(stream, &x, target);
    let result = learner.step_in(stream, &x, target).unwrap();
    assert_close("prediction", scenario, t, result.prediction, &expected.prediction, tolerance);
    assert_eq!(result.predicted.is_some(), expected.predicted.is_some(), "{}, step {t}", scenario.name);
    if let (Some(found), Some(expected)) = (result.predicted, &expected.predicted) {
        assert_close("predicted", scenario, t, found, expected, tolerance);
    }
    assert_eq!(result.loss.is_some(), expected.loss.is_some(), "{}, step {t}", scenario.name);
    if let (Some(found), Some(expected)) = (result.loss, expected.loss) {
        assert_close("loss", scenario, t, &[found], &[expected], tolerance);
    }
    let double = |values: &[T]| values.iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    assert_close("output", scenario, t, &double(learner.output()), &expected.output, tolerance);
    assert_close("weight", scenario, t, &double(learner.weights()), &reference.w, tolerance);
    assert_eq!(learner.updates(), reference.updates(), "{}, step {t}", scenario.name);
    let (inputs, targets) = learner.scalers();
    for (found, expected) in inputs.moments().iter().chain(targets.moments()).zip(reference.moments()) {
        if found.count() > 0 {
            let (mean, deviation) = expected;
            assert_close(
                "moments",
                scenario,
                t,
                &[found.mean(), found.deviation()],
                &[mean, deviation],
                1e-9,
            );
        }
    }
}

/// The learner restored from its checkpoint.
fn restored<T: Real>(learner: &mut StreamLearner<T>) -> StreamLearner<T> {
    let mut writer = Archive::writer();
    learner.save(&mut writer).unwrap();
    let mut reader = Archive::reader(writer.into_bytes());
    let restored = StreamLearner::restore(&mut reader).unwrap();
    reader.finish().unwrap();
    restored
}

/// Settings with another learning rate, decay and clips.
fn retuned(spec: &StreamLearnerSpec) -> StreamLearnerSpec {
    let mut spec = spec.clone();
    if let Trainer::Gradient { learning_rate: rate, decay, clip, .. } = &mut spec.trainer {
        (*rate, *decay, *clip) = (0.7 * *rate, 0.11, Some(0.3));
    }
    spec.error_clip = Some(0.35);
    spec
}

/// Compares both on a stream. `tolerance` gives the tolerance for rounding at a step.
fn compare_stream<T: Real>(scenario: &Scenario, steps: usize, tolerance: impl Fn(usize) -> f64) {
    let mut learner = StreamLearner::<T>::new(&scenario.spec, 11).unwrap();
    let mut reference = Reference::of(&learner, "rtrl-dense");
    for t in 0..steps {
        // With several streams, each of them skips every fourth row.
        let streams = scenario.spec.streams;
        for stream in (0..streams).filter(|stream| streams == 1 || (t + stream) % 4 != 0) {
            compare(scenario, &mut learner, &mut reference, (stream, t), tolerance(t));
            if scenario.resets == Some(t - stream.min(t)) {
                learner.reset(stream);
                reference.reset(stream);
            }
        }
        if t == 50 {
            learner = restored(&mut learner);
        }
        if t == 90 {
            let spec = retuned(&scenario.spec);
            learner.retune(&spec);
            assert_eq!(*learner.spec(), spec, "{}", scenario.name);
            reference.spec = spec;
        }
    }
    let initial = StreamLearner::<T>::new(&scenario.spec, 11).unwrap();
    let changed = learner.weights().iter().zip(initial.weights()).filter(|(a, b)| a != b).count();
    assert!(changed > scenario.spec.model.outputs, "{}: expected changed weights", scenario.name);
}

#[test]
fn stream_learner_with_every_setting_equals_equations() {
    let scenarios = Scenario::all();
    assert!(scenarios.len() > 60, "expected more than 60 settings, got {}", scenarios.len());
    scenarios
        .iter()
        .for_each(|scenario| compare_stream::<f64>(scenario, STEPS, |t| 1e-9 * (t as f64 / 15.0).exp()));
}

#[test]
fn stream_learner_in_single_precision_equals_equations_up_to_rounding() {
    let smooth = Scenario::all().into_iter().filter(|scenario| scenario.name.starts_with("gru"));
    let mut scenarios = 0;
    for scenario in smooth {
        compare_stream::<f32>(&scenario, 100, |_| 3e-3);
        scenarios += 1;
    }
    assert!(scenarios > 8, "expected more than 8 settings, got {scenarios}");
}

/// The gradient of a loss that is not built in. The curvature is 1.
#[test]
fn stream_learner_credit_equals_equations() {
    for scenario in Scenario::all() {
        if scenario.spec.horizon > 0 || scenario.spec.streams > 1 {
            continue;
        }
        let mut learner = StreamLearner::<f64>::new(&scenario.spec, 5).unwrap();
        let mut reference = Reference::of(&learner, "rtrl-dense");
        for t in 0..60 {
            let x = scenario.x(0, t);
            let found = learner.observe(&x).unwrap().to_vec();
            assert_close("output", &scenario, t, &found, &reference.observe(&x), 1e-7);
            if t % 3 == 0 {
                continue;
            }
            // `error_clip` does not apply to credits.
            let slope: Vec<f64> =
                found.iter().enumerate().map(|(k, o)| 1.3 * o - (0.3 * t as f64 + k as f64).sin()).collect();
            learner.credit(&slope).unwrap();
            reference.credit(&slope);
            assert_close("weight", &scenario, t, learner.weights(), &reference.w, 1e-7);
        }
    }
}
