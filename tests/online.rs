//! The streaming learner keeps its word: causal, late targets without look-ahead, exact gradients behind every teacher, and nothing lost to
//! bad data.

use sparse_rtrl::archive::Archive;
use sparse_rtrl::online::{Grouping, Online, OnlineSpec, Teacher};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule::{self, Claim};
use std::ops::Range;

fn kalman(grouping: Grouping) -> Teacher {
    Teacher::Kalman { grouping, variance: 1.0, error: 0.3, forgetting: 0.999, noise: 1e-6 }
}

fn teachers() -> [Teacher; 4] {
    [Teacher::default(), Teacher::Untrained, kalman(Grouping::Node), kalman(Grouping::Full)]
}

fn spec(teacher: Teacher) -> OnlineSpec {
    let mut spec = OnlineSpec::new(2, 10, 1);
    spec.mask.sparsity = 0.5;
    spec.teacher = teacher;
    spec
}

fn signal(t: usize) -> f64 {
    50.0 + 10.0 * (0.4 * t as f64).sin() + 5.0 * (0.13 * t as f64).cos()
}

fn input(t: usize) -> [f64; 2] {
    [signal(t), (t % 7) as f64]
}

/// Learns from those rows, whose targets are what the signal will be `ahead` steps on.
fn run(learner: &mut Online<f64>, rows: Range<usize>, ahead: usize) {
    for t in rows {
        learner.learn(&input(t), Some(Target::Values(&[signal(t + ahead)]))).unwrap();
    }
}

/// The state of a learner, to the bit.
fn bytes(learner: &mut Online<f64>) -> Vec<u8> {
    let mut archive = Archive::writer();
    learner.archive(&mut archive).unwrap();
    archive.into_bytes()
}

#[test]
fn no_prediction_knows_the_future() {
    for teacher in teachers() {
        for horizon in [0, 1, 5] {
            let spec = OnlineSpec { horizon, ..spec(teacher.clone()) };
            let said = |disturbed_from: usize| -> Vec<u64> {
                let mut learner = Online::<f64>::new(&spec, 1).unwrap();
                let row = |t: usize| {
                    let wild = if t >= disturbed_from { 37.0 * (1.7 * t as f64).sin() } else { 0.0 };
                    let [a, b] = input(t);
                    // Without a horizon the target belongs to the row itself, and is no input.
                    ([a + wild, b], [signal(t) + wild])
                };
                let mut predict = |t| {
                    let (x, target) = row(t);
                    learner.step(&x, Some(Target::Values(&target))).unwrap().prediction[0].to_bits()
                };
                (0..120).map(&mut predict).collect()
            };
            let (calm, wild) = (said(usize::MAX), said(80));
            assert_eq!(calm[..80], wild[..80], "{teacher:?}, horizon {horizon}");
            assert_ne!(calm[80..], wild[80..], "the disturbance is real");
        }
    }
}

/// Without a horizon, the target of a row is not known to the prediction it is held against.
#[test]
fn no_prediction_knows_its_own_target() {
    for teacher in teachers() {
        let said = |last: f64| {
            let mut learner = Online::<f64>::new(&spec(teacher.clone()), 1).unwrap();
            run(&mut learner, 0..50, 1);
            learner.step(&input(50), Some(Target::Values(&[last]))).unwrap().prediction[0]
        };
        assert_eq!(said(50.0).to_bits(), said(1000.0).to_bits(), "{teacher:?}");
    }
}

/// A learner that hears of targets h steps late learns what one learns that hears of them at once.
#[test]
fn a_late_target_teaches_the_same() {
    for teacher in teachers() {
        let still =
            OnlineSpec { standardise: vec![false; 2], standardise_target: false, ..spec(teacher.clone()) };
        let (late, at_once) = (OnlineSpec { horizon: 6, ..still.clone() }, still);
        let (mut late, mut at_once) =
            (Online::<f64>::new(&late, 2).unwrap(), Online::<f64>::new(&at_once, 2).unwrap());
        let x = |t: usize| [0.1 * signal(t) - 5.0, 0.2 * (t % 7) as f64];
        let target = |t: usize| [0.1 * signal(t + 3) - 5.0];
        for t in 0..100 {
            let predicted = at_once.predict(&x(t)).unwrap()[0];
            let answer = at_once.step(&x(t), Some(Target::Values(&target(t)))).unwrap();
            assert_eq!(
                answer.prediction[0].to_bits(),
                predicted.to_bits(),
                "looking ahead is the step itself"
            );
        }
        for t in 0..106usize {
            let before = target(t.saturating_sub(6));
            late.learn(&x(t), (t >= 6).then_some(Target::Values(&before))).unwrap();
        }
        assert_eq!(late.weights(), at_once.weights(), "{teacher:?}");
        assert_eq!(late.updates(), 100);
    }
}

/// Gradient or filter, full or by node: with every exact rule of the registry the same weights are learned as with the dense oracle.
#[test]
fn every_exact_rule_teaches_the_same() {
    for teacher in [Teacher::default(), kalman(Grouping::Node), kalman(Grouping::Full)] {
        for least in [None, spec(teacher.clone()).least] {
            let learned = |rule: &str| {
                let spec = OnlineSpec { rule: rule.into(), least, ..spec(teacher.clone()) };
                let mut learner = Online::<f64>::new(&spec, 3).unwrap();
                run(&mut learner, 0..150, 2);
                learner.weights().to_vec()
            };
            let expected = learned("rtrl-dense");
            let size = expected.iter().map(|w| w.abs()).fold(0.0, f64::max);
            for entry in rule::registry::<f64>().iter().filter(|e| e.claim == Claim::Exact && !e.grows) {
                let worst = learned(&entry.name)
                    .iter()
                    .zip(&expected)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f64::max);
                assert!(worst / size < 1e-7, "{}, {teacher:?}: {:e}", entry.name, worst / size);
            }
        }
    }
}

#[test]
fn a_loss_of_ones_own_teaches_as_the_built_in_one_does() {
    for teacher in [Teacher::default(), kalman(Grouping::Node)] {
        let spec = OnlineSpec { standardise_target: false, ..spec(teacher) };
        let (mut own, mut built_in) =
            (Online::<f64>::new(&spec, 4).unwrap(), Online::<f64>::new(&spec, 4).unwrap());
        for t in 0..80 {
            let target = 0.1 * signal(t + 1) - 5.0;
            let slope = own.observe(&input(t)).unwrap()[0] - target;
            own.credit(&[slope]).unwrap();
            built_in.learn(&input(t), Some(Target::Values(&[target]))).unwrap();
        }
        assert_eq!(own.weights(), built_in.weights());
    }
}

/// A look at something else between a step and its credit changes nothing.
#[test]
fn credit_is_for_the_step_that_was_observed() {
    for teacher in [Teacher::default(), kalman(Grouping::Node)] {
        let learned = |looks: bool| {
            let mut learner = Online::<f64>::new(&spec(teacher.clone()), 4).unwrap();
            for t in 0..40 {
                let slope = learner.observe(&input(t)).unwrap()[0] - 0.1 * signal(t + 1);
                if looks {
                    learner.predict(&[1e3, -7.0]).unwrap();
                }
                learner.credit(&[slope]).unwrap();
            }
            learner.weights().to_vec()
        };
        assert_eq!(learned(true), learned(false));
    }
}

#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_without_a_step_panics() {
    let _ = Online::<f64>::new(&spec(Teacher::default()), 4).unwrap().credit(&[0.0]);
}

#[test]
fn predicting_changes_nothing_and_a_missing_target_teaches_nothing() {
    for teacher in teachers() {
        let mut learner = Online::<f64>::new(&spec(teacher), 5).unwrap();
        run(&mut learner, 0..30, 0);
        // Work is counted, the rest is as it was.
        let weights = learner.weights().to_vec();
        let first = learner.predict(&input(30)).unwrap()[0];
        assert_eq!(learner.predict(&input(30)).unwrap()[0].to_bits(), first.to_bits());
        assert_eq!(learner.learn(&input(30), None).unwrap(), None);
        assert_eq!(learner.weights(), weights);
        assert_eq!(learner.updates(), 30);
    }
}

#[test]
fn bad_numbers_teach_nothing_and_good_ones_follow() {
    for teacher in teachers() {
        for horizon in [0, 3] {
            let spec = OnlineSpec { horizon, ..spec(teacher.clone()) };
            let mut learner = Online::<f64>::new(&spec, 6).unwrap();
            run(&mut learner, 0..40, 0);
            let before = bytes(&mut learner);
            for (x, target) in [([f64::NAN, 1.0], 1.0), ([1.0, f64::INFINITY], 1.0), ([1.0, 1.0], f64::NAN)] {
                let said = learner.step(&x, Some(Target::Values(&[target]))).unwrap_err().to_string();
                assert!(said.contains("is not finite"), "{said}");
                assert!(bytes(&mut learner) == before, "nothing has happened");
            }
            run(&mut learner, 40..80, 0);
        }
    }
}

#[test]
fn streams_share_weights_and_nothing_else() {
    let two = OnlineSpec { streams: 2, ..spec(Teacher::Untrained) };
    let mut learner = Online::<f64>::new(&two, 7).unwrap();
    let mut alone = Online::<f64>::new(&spec(Teacher::Untrained), 7).unwrap();
    // An untrained network's state depends on its own inputs alone; scaling is shared, so it is left out.
    let still = |spec: &OnlineSpec| OnlineSpec { standardise: vec![false; 2], ..spec.clone() };
    for learner in [&mut learner, &mut alone] {
        *learner = Online::new(&still(learner.spec()), 7).unwrap();
    }
    for t in 0..50 {
        let x = [0.1 * input(t)[0] - 5.0, 0.0];
        let expected = alone.step(&x, None).unwrap().prediction[0];
        assert_eq!(learner.step_in(0, &x, None).unwrap().prediction[0], expected);
        learner.step_in(1, &[1.0 - x[0], 1.0], None).unwrap();
    }
    learner.reset(1);
    let x = [0.3, 0.0];
    assert_eq!(learner.step_in(0, &x, None).unwrap().prediction, alone.step(&x, None).unwrap().prediction);
    let mut fresh = Online::<f64>::new(&still(&spec(Teacher::Untrained)), 7).unwrap();
    assert_eq!(learner.step_in(1, &x, None).unwrap().prediction, fresh.step(&x, None).unwrap().prediction);
}

/// Which of three symbols comes next, when each is followed by the next one in turn, but for every fifth step: counting to five is
/// what a memory is for.
#[test]
fn classes_are_learned() {
    for teacher in [Teacher::default(), kalman(Grouping::Node)] {
        for (loss, outputs) in
            [(Loss::CrossEntropy, 3), (Loss::SquaredError, 3), (Loss::BinaryCrossEntropy, 1)]
        {
            let classes = outputs.max(2);
            let mut spec = OnlineSpec::new(3, 16, outputs);
            spec.loss = loss;
            spec.standardise = vec![false; 3];
            spec.standardise_target = false;
            spec.teacher = teacher.clone();
            spec.least = None;
            let mut learner = Online::<f64>::new(&spec, 8).unwrap();
            let (mut symbol, mut right) = (0, 0);
            for t in 0..3000 {
                let next = if t % 5 == 4 { symbol } else { (symbol + 1) % classes };
                let x: [f64; 3] = std::array::from_fn(|k| f64::from(k == symbol));
                let answer = learner.step(&x, Some(Target::Class(next))).unwrap();
                let most = |p: &[f64]| (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
                let guess = match answer.prediction {
                    [p] => usize::from(*p > 0.5),
                    many => most(many),
                };
                right += usize::from(t >= 2000 && guess == next);
                symbol = next;
            }
            // Without memory 80 % are right.
            assert!(right > 900, "{teacher:?}, {loss:?}: {right} of 1000");
        }
    }
}

#[test]
fn settings_that_do_not_go_together_are_errors_in_words() {
    let said = |change: &dyn Fn(&mut OnlineSpec)| {
        let mut spec = spec(Teacher::default());
        change(&mut spec);
        Online::<f64>::new(&spec, 0).err().expect("an error").to_string()
    };
    assert!(said(&|s| s.rule = "bptt".into()).contains("does not grow"));
    assert!(said(&|s| s.loss = Loss::CrossEntropy).contains("least squares"));
    assert!(said(&|s| s.standardise = vec![true]).contains("each of 2 inputs"));
    assert!(said(&|s| s.outputs = 0).contains("outputs"));
    assert!(said(&|s| (s.teacher, s.least) = (Teacher::Untrained, None)).contains("teacher"));
    assert!(said(&|s| s.error_clip = Some(f64::NAN)).contains("error-clip"));
    assert!(said(&|s| s.network.layers[0].units = 900_000).contains("GiB"));
    let classes = |s: &mut OnlineSpec, teacher: &Teacher| {
        (s.outputs, s.loss, s.least, s.teacher) = (50_000, Loss::CrossEntropy, None, teacher.clone());
    };
    assert!(said(&|s| classes(s, &kalman(Grouping::Node))).contains("GiB"));
    let mut many = spec(Teacher::default());
    classes(&mut many, &Teacher::default());
    many.check_size::<f64>().unwrap();
    let full =
        Teacher::Kalman { grouping: Grouping::Full, variance: 1.0, error: 1.0, forgetting: 1.0, noise: 0.0 };
    assert!(said(&|s| (s.network.layers[0].units, s.teacher) = (2000, full.clone())).contains("GiB"));
}
