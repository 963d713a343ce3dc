use super::*;
use crate::cell;
use crate::readout::{Loss, Target};

fn spec() -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(2, 5, 2);
    spec.model.mask.sparsity = 0.5;
    spec.direct = 1;
    spec
}

fn trained<T: Real>(spec: &StreamLearnerSpec) -> StreamLearner<T> {
    let mut learner = StreamLearner::new(spec, 1).unwrap();
    for t in 0..30 {
        let x = [(t as f64).sin(), f64::from(t % 3), 0.5];
        learner.step(&x, Some(Target::Values(&[x[0] * x[1], -x[0]]))).unwrap();
    }
    learner
}

fn outcome<T: Real>(spec: &StreamLearnerSpec, bytes: &[u8]) -> String {
    match unpack::<T>(spec, 0, bytes) {
        Ok(_) => "fine".into(),
        Err(ImportError::Format(why)) => why,
        Err(ImportError::Other(error)) => error.to_string(),
    }
}

/// Returns the file with one tensor changed, or without it if `change` returns `None`.
fn altered(
    bytes: &[u8],
    name: &str,
    change: impl Fn(&TensorView<'_>) -> Option<(Dtype, Vec<usize>, Vec<u8>)>,
) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let of = |(found, view): (String, TensorView<'_>)| match found == name {
        true => change(&view).map(|(dtype, shape, bytes)| (found, dtype, shape, bytes)),
        false => Some((found, view.dtype(), view.shape().to_vec(), view.data().to_vec())),
    };
    let all: Vec<_> = file.tensors().into_iter().filter_map(of).collect();
    let views = all
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn unpack_of_packed_weights_restores_every_cell() {
    for cell in cell::registry::<f32>() {
        let mut spec = spec();
        spec.model.network.layers[0].cell = cell.name.into();
        spec.model.network.layers.push(spec.model.network.layers[0].clone());
        let learner = trained::<f32>(&spec);
        let bytes = pack(&learner);
        let restored = unpack::<f32>(&spec, 9, &bytes).unwrap();
        assert_eq!(restored.weights(), learner.weights(), "{}", cell.name);
        let masks = |learner: &StreamLearner<f32>| -> Vec<Vec<_>> {
            learner.network().wiring().layout().blocks().iter().map(|b| b.kept.entries().collect()).collect()
        };
        assert_eq!(masks(&restored), masks(&learner));
        assert_eq!(pack(&restored), bytes);
        let double = unpack::<f64>(&spec, 9, &bytes).unwrap();
        assert!(double.weights().iter().zip(learner.weights()).all(|(a, b)| *a == f64::from(*b)));
    }
}

#[test]
fn unpack_without_masks_prunes_zeros_of_pruned_blocks() {
    let spec = spec();
    let learner = trained::<f64>(&spec);
    let p = learner.weights().len();
    let mut bytes = pack(&learner);
    for block in learner.network().wiring().layout().blocks() {
        bytes = altered(&bytes, &mask_of(&block.spec), |_| None);
    }
    assert_eq!(unpack::<f64>(&spec, 0, &bytes).unwrap().weights().len(), p);
    let mut dense = spec.clone();
    dense.model.mask.sparsity = 0.0;
    let full = unpack::<f64>(&dense, 0, &bytes).unwrap();
    assert_eq!(full.weights().len(), StreamLearner::<f64>::new(&dense, 0).unwrap().weights().len());
}

#[test]
fn unpack_without_a_readout_draws_it_from_the_seed() {
    let mut spec = spec();
    (spec.least_squares, spec.model.loss, spec.standardise_target) = (None, Loss::SquaredError, false);
    let bytes = pack(&trained::<f64>(&spec));
    let without = altered(&bytes, WEIGHT, |_| None);
    assert!(outcome::<f64>(&spec, &without).contains("both readout.weight and readout.bias or neither"));
    let without = altered(&without, BIAS, |_| None);
    let learner = unpack::<f64>(&spec, 3, &without).unwrap();
    let drawn = StreamLearner::<f64>::new(&spec, 3).unwrap();
    assert_eq!(learner.weights().last_chunk::<8>(), drawn.weights().last_chunk::<8>());
}

#[test]
fn unpack_of_wrong_tensors_returns_an_error() {
    let spec = spec();
    let bytes = pack(&trained::<f32>(&spec));
    assert_eq!(outcome::<f32>(&spec, &bytes), "fine");
    let missing = altered(&bytes, "layer0.wu_x", |_| None);
    assert_eq!(outcome::<f32>(&spec, &missing), "expected a tensor 'layer0.wu_x', got none");
    let transposed = altered(&bytes, "layer0.wu_x", |t| Some((t.dtype(), vec![2, 5], t.data().to_vec())));
    assert_eq!(outcome::<f32>(&spec, &transposed), "expected 'layer0.wu_x' of shape [5, 2], got [2, 5]");
    let integers =
        altered(&bytes, "layer0.wu_x", |t| Some((Dtype::I32, t.shape().to_vec(), t.data().to_vec())));
    assert!(outcome::<f32>(&spec, &integers).contains("of type F32 or F64, got I32"));
    let mask = altered(&bytes, "layer0.wu_y.mask", |_| Some((Dtype::U8, vec![1], vec![1])));
    assert!(outcome::<f32>(&spec, &mask).contains("'layer0.wu_y.mask' of type U8 and shape [5, 5]"));
    let infinite = altered(&bytes, "layer0.bu", |t| {
        Some((Dtype::F32, t.shape().to_vec(), f32::INFINITY.to_le_bytes().repeat(5)))
    });
    assert!(outcome::<f32>(&spec, &infinite).contains("finite numbers"));
    let mut other = spec.clone();
    other.model.network.layers[0].cell = "rnn".into();
    assert!(outcome::<f32>(&other, &bytes).contains("and masks, got '"));
    for cut in 0..bytes.len() {
        assert!(outcome::<f32>(&spec, &bytes[..cut]).contains("expected a safetensors file"), "cut at {cut}");
    }
}

mod by_hand;
mod meaning;
