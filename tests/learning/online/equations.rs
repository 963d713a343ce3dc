//! `StreamLearner` against the same learner written from its equations, step by step.

use super::reference::Reference;
use super::worlds::World;
use super::*;
use sparse_rtrl::scalar::Real;

const STEPS: usize = 140;

fn assert_close(what: &str, world: &World, t: usize, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}, {}, step {t}", world.name);
    for (k, (a, b)) in found.iter().zip(expected).enumerate() {
        let apart = (a - b).abs() / (1.0 + b.abs());
        assert!(apart <= tolerance, "{what} {k}, {}, step {t}: {a} for {b}", world.name);
    }
}

/// One row through both; everything that can be seen of the learner is compared.
fn compare<T: Real>(
    world: &World,
    learner: &mut StreamLearner<T>,
    reference: &mut Reference,
    (stream, t): (usize, usize),
    tolerance: f64,
) {
    let (x, values) = (world.x(stream, t), world.values(stream, t));
    let target = world.target(t, &values);
    let looks = t % 5 == 2;
    if looks {
        let found = learner.predict_in(stream, &x).unwrap().to_vec();
        assert_close("look ahead", world, t, &found, &reference.predict(stream, &x), tolerance);
    }
    assert_eq!(learner.due(stream).is_some(), reference.due(stream).is_some(), "{}, step {t}", world.name);
    if let (Some(found), Some(expected)) = (learner.due(stream), reference.due(stream)) {
        assert_close("due", world, t, found, expected, tolerance);
    }
    let expected = reference.step(stream, &x, target);
    let answer = learner.step_in(stream, &x, target).unwrap();
    assert_close("prediction", world, t, answer.prediction, &expected.prediction, tolerance);
    assert_eq!(answer.predicted.is_some(), expected.predicted.is_some(), "{}, step {t}", world.name);
    if let (Some(found), Some(expected)) = (answer.predicted, &expected.predicted) {
        assert_close("predicted", world, t, found, expected, tolerance);
    }
    assert_eq!(answer.loss.is_some(), expected.loss.is_some(), "{}, step {t}", world.name);
    if let (Some(found), Some(expected)) = (answer.loss, expected.loss) {
        assert_close("loss", world, t, &[found], &[expected], tolerance);
    }
    let double = |values: &[T]| values.iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    assert_close("output", world, t, &double(learner.output()), &expected.output, tolerance);
    assert_close("weight", world, t, &double(learner.weights()), &reference.w, tolerance);
    assert_eq!(learner.updates(), reference.updates(), "{}, step {t}", world.name);
    let (inputs, targets) = learner.scalers();
    for (found, expected) in inputs.moments().iter().chain(targets.moments()).zip(reference.moments()) {
        if found.count() > 0 {
            let (mean, deviation) = expected;
            assert_close("moments", world, t, &[found.mean(), found.deviation()], &[mean, deviation], 1e-9);
        }
    }
}

/// A learner that goes on from its bytes.
fn restored<T: Real>(learner: &mut StreamLearner<T>) -> StreamLearner<T> {
    let mut writer = Archive::writer();
    learner.save(&mut writer).unwrap();
    let mut reader = Archive::reader(writer.into_bytes());
    let restored = StreamLearner::restore(&mut reader).unwrap();
    reader.finish().unwrap();
    restored
}

/// Rate, decay and clips as they are to be from some step on.
fn retuned(spec: &StreamLearnerSpec) -> StreamLearnerSpec {
    let mut spec = spec.clone();
    if let Trainer::Gradient { rate, decay, clip, .. } = &mut spec.trainer {
        (*rate, *decay, *clip) = (0.7 * *rate, 0.11, Some(0.3));
    }
    spec.error_clip = Some(0.35);
    spec
}

/// Follows a stream; `tolerance` gives what rounding may have become by a step.
fn follow<T: Real>(world: &World, steps: usize, tolerance: impl Fn(usize) -> f64) {
    let mut learner = StreamLearner::<T>::new(&world.spec, 11).unwrap();
    let mut reference = Reference::of(&learner, "rtrl-dense");
    for t in 0..steps {
        // Streams take turns, not always the same ones.
        let streams = world.spec.streams;
        for stream in (0..streams).filter(|stream| streams == 1 || (t + stream) % 4 != 0) {
            compare(world, &mut learner, &mut reference, (stream, t), tolerance(t));
            if world.resets == Some(t - stream.min(t)) {
                learner.reset(stream);
                reference.reset(stream);
            }
        }
        if t == 50 {
            learner = restored(&mut learner);
        }
        if t == 90 {
            let spec = retuned(&world.spec);
            learner.retune(&spec);
            assert_eq!(*learner.spec(), spec, "{}", world.name);
            reference.spec = spec;
        }
    }
    let fresh = StreamLearner::<T>::new(&world.spec, 11).unwrap();
    let moved = learner.weights().iter().zip(fresh.weights()).filter(|(a, b)| a != b).count();
    assert!(moved > world.spec.outputs, "{}: something was learned", world.name);
}

#[test]
fn online_every_setting_equals_equations() {
    let worlds = World::all();
    assert!(worlds.len() > 60, "{} settings go together", worlds.len());
    worlds.iter().for_each(|world| follow::<f64>(world, STEPS, |t| 1e-9 * (t as f64 / 15.0).exp()));
}

#[test]
fn online_single_precision_equals_equations_to_its_rounding() {
    let smooth = World::all().into_iter().filter(|world| world.name.starts_with("gru"));
    let mut worlds = 0;
    for world in smooth {
        follow::<f32>(&world, 100, |_| 3e-3);
        worlds += 1;
    }
    assert!(worlds > 8, "{worlds} settings");
}

/// The loss is somebody else's: slopes that no built-in loss gives, a curvature of one.
#[test]
fn online_credit_equals_equations() {
    for world in World::all() {
        if world.spec.horizon > 0 || world.spec.streams > 1 {
            continue;
        }
        let mut learner = StreamLearner::<f64>::new(&world.spec, 5).unwrap();
        let mut reference = Reference::of(&learner, "rtrl-dense");
        for t in 0..60 {
            let x = world.x(0, t);
            let found = learner.observe(&x).unwrap().to_vec();
            assert_close("output", &world, t, &found, &reference.observe(&x), 1e-7);
            if t % 3 == 0 {
                continue;
            }
            // Beyond any clip of errors, which is for built-in losses.
            let slope: Vec<f64> =
                found.iter().enumerate().map(|(k, o)| 1.3 * o - (0.3 * t as f64 + k as f64).sin()).collect();
            learner.credit(&slope).unwrap();
            reference.credit(&slope);
            assert_close("weight", &world, t, learner.weights(), &reference.w, 1e-7);
        }
    }
}
