//! Checkpoints of learners: invalid content, credits, weights from elsewhere, bytes.

use super::*;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::params::{ParamBlockSpec, Pattern};
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::stats::Moments;
use std::collections::VecDeque;

type Masks = Vec<Vec<(u32, u32)>>;
type Rows = VecDeque<Vec<f64>>;

fn masks(learner: &StreamLearner<f64>) -> Masks {
    let of = |pattern: &Pattern| pattern.entries().map(|(i, j)| (i as u32, j as u32)).collect();
    learner.network().wiring().layout().blocks().iter().map(|block| of(&block.kept)).collect()
}

/// Restores a learner from a checkpoint with changed precision and masks.
fn restored(
    learner: &mut StreamLearner<f64>,
    bits: u32,
    change: impl Fn(&mut Masks),
) -> Result<Masks, String> {
    let mut writer = Archive::writer();
    let mut masks_changed = masks(learner);
    change(&mut masks_changed);
    writer.field("precision", &mut { bits }).unwrap();
    writer.field("learner", &mut learner.spec().clone()).unwrap();
    writer.field("masks", &mut masks_changed).unwrap();
    learner.archive(&mut writer).unwrap();
    let restored = StreamLearner::<f64>::restore(&mut Archive::reader(writer.into_bytes()));
    restored.map(|learner| masks(&learner)).map_err(|error| error.to_string())
}

#[test]
fn restore_with_other_masks_or_precision_is_an_error() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 5).unwrap();
    run(&mut learner, 0..20, 1);
    let kept = masks(&learner);
    assert_eq!(restored(&mut learner, 64, |_| {}).unwrap(), kept);
    let mut refused = |bits, change: &dyn Fn(&mut Masks), expected: &str| {
        let message = restored(&mut learner, bits, change).unwrap_err();
        assert!(message.contains(expected), "{message}");
    };
    refused(32, &|_| {}, "32 bits, not 64");
    refused(64, &|masks| drop(masks.pop()), "of them for");
    refused(64, &|masks| masks.push(Vec::new()), "of them for");
    // `wu_x` is 10 × 2 and not masked.
    refused(64, &|masks| *masks[0].last_mut().unwrap() = (10, 0), "does not fit layer0.wu_x");
    refused(64, &|masks| *masks[0].last_mut().unwrap() = (9, 2), "does not fit layer0.wu_x");
    refused(64, &|masks| masks[0].swap(0, 1), "does not fit layer0.wu_x");
    refused(64, &|masks| masks[0][1] = masks[0][0], "does not fit layer0.wu_x");
    refused(64, &|masks| masks[0].truncate(19), "values instead of");
}

/// Changes the pending rows and forecasts in a checkpoint and returns the error of reading it.
fn error_with_pending(
    spec: &StreamLearnerSpec,
    change: impl Fn(&mut VecDeque<Vec<f64>>, &mut VecDeque<Vec<f64>>),
) -> String {
    let mut learner = StreamLearner::<f64>::new(spec, 5).unwrap();
    run(&mut learner, 0..20, 0);
    let mut reader = Archive::reader(bytes(&mut learner));
    let mut writer = Archive::writer();
    macro_rules! copy {
        ($($name:literal: $kind:ty),*) => {$(
            let mut value = <$kind>::default();
            reader.field($name, &mut value).unwrap();
            writer.field($name, &mut value).unwrap();
        )*};
    }
    copy!("weights": Vec<f64>, "updates": u64, "sgd.rate": f64);
    copy!("moments": Vec<Moments>, "moments": Vec<Moments>, "state.c": Vec<f64>, "state.y": Vec<f64>);
    let (mut waiting, mut forecasts) = (VecDeque::new(), VecDeque::new());
    reader.field("waiting", &mut waiting).unwrap();
    reader.field("forecasts", &mut forecasts).unwrap();
    assert_eq!((waiting.len(), forecasts.len()), (3, 3));
    change(&mut waiting, &mut forecasts);
    writer.field("waiting", &mut waiting).unwrap();
    writer.field("forecasts", &mut forecasts).unwrap();
    copy!("macs": Macs, "steps": u64);
    let mut reader = Archive::reader(writer.into_bytes());
    StreamLearner::<f64>::new(spec, 5).unwrap().archive(&mut reader).unwrap_err().to_string()
}

#[test]
fn restore_with_inconsistent_pending_rows_is_an_error() {
    let trainer = Trainer::Gradient { optimiser: "sgd".into(), learning_rate: 0.1, decay: 0.0, clip: None };
    let spec = StreamLearnerSpec { horizon: 3, least_squares: None, ..spec(trainer) };
    // Unchanged, the truncated checkpoint ends within the state of the rule.
    assert!(error_with_pending(&spec, |_, _| {}).contains("the end of the data"));
    let refused = |change: &dyn Fn(&mut Rows, &mut Rows)| {
        let message = error_with_pending(&spec, change);
        assert!(message.contains("steps of another learner"), "{message}");
    };
    refused(&|waiting, forecasts| {
        waiting.push_back(vec![0.0; 2]);
        forecasts.push_back(vec![0.0]);
    });
    refused(&|waiting, _| drop(waiting.pop_back()));
    refused(&|_, forecasts| drop(forecasts.pop_back()));
    refused(&|waiting, _| waiting[1].push(0.0));
    refused(&|_, forecasts| forecasts[2].push(0.0));
}

/// Restoring between a step and its credit discards the observed step.
#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_after_restore_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 5).unwrap();
    let mut before = Archive::reader(bytes(&mut learner));
    learner.observe(&input(0)).unwrap();
    learner.archive(&mut before).unwrap();
    let _ = learner.credit(&[0.1]);
}

/// Saving between a step and its credit does not change the result.
#[test]
fn credit_after_save_updates_weights() {
    let learned = |saves: bool| {
        let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 5).unwrap();
        for t in 0..5 {
            learner.observe(&input(t)).unwrap();
            if saves {
                bytes(&mut learner);
            }
            learner.credit(&[0.3]).unwrap();
        }
        learner.weights().to_vec()
    };
    assert_eq!(learned(true), learned(false));
}

fn full(blocks: &[ParamBlockSpec]) -> sparse_rtrl::Result<Vec<Pattern>> {
    Ok(blocks.iter().map(|b| Pattern::full(b.shape().0, b.shape().1)).collect())
}

#[test]
fn with_weights_checks_values_and_clamps_thresholds() {
    let spec = spec(Trainer::default());
    let with = |value: f64| {
        StreamLearner::<f64>::with_weights(&spec, 0, full, |learner| Ok(vec![value; learner.weights().len()]))
    };
    let learner = with(1.5).unwrap();
    let p = learner.network().wiring().parameters();
    let thresholds = &learner.network().wiring().layout().block("layer0.theta").unwrap().places;
    for (place, &w) in learner.weights().iter().enumerate() {
        assert_eq!(w, if thresholds.contains(&place) { 1.0 } else { 1.5 }, "{place} of {p}");
    }
    assert!(with(-0.5).unwrap().weights()[..p].contains(&0.0));
    assert!(with(f64::NAN).err().unwrap().to_string().contains("finite numbers"));
    let broken = StreamLearnerSpec { streams: 0, ..spec.clone() };
    assert!(StreamLearner::<f64>::with_weights(&broken, 0, full, |l| Ok(l.weights().to_vec())).is_err());
    let huge = StreamLearnerSpec::new(2, 900_000, 1);
    let message =
        StreamLearner::<f64>::with_weights(&huge, 0, full, |l| Ok(l.weights().to_vec())).err().unwrap();
    assert!(message.to_string().contains("GiB"), "{message}");
}

#[test]
#[should_panic(expected = "one value per weight")]
fn with_weights_of_wrong_length_panics() {
    let _ = StreamLearner::<f64>::with_weights(&spec(Trainer::default()), 0, full, |_| Ok(vec![0.0; 3]));
}

#[test]
fn bytes_of_learner_are_sum_over_streams() {
    for streams in [1, 3] {
        let spec = StreamLearnerSpec { streams, ..spec(Trainer::default()) };
        let mut learner = StreamLearner::<f64>::new(&spec, 5).unwrap();
        let wiring = learner.network().wiring().clone();
        let alone = (rule::find::<f64>("rtrl").unwrap().build)(&wiring, Skips::ALL, 0).bytes();
        assert_eq!(learner.bytes(), streams * alone);
        run(&mut learner, 0..5, 0);
        assert!(learner.bytes() >= streams * alone);
    }
}
