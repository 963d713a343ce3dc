//! The meaning of the entries of a file, by formulas over its tensors: entry (i, j) of a weight is
//! from source j to unit i, entry (k, j) of the readout is of its j-th feature, and features are
//! emissions, direct inputs, inputs.

use super::*;
use crate::params::{MaskOn, MaskSpec};
use approx::assert_relative_eq;

const UNITS: usize = 3;

/// A file's tensors as numbers.
struct Read(HashMap<String, (Vec<usize>, Vec<f64>)>);

impl Read {
    fn new(bytes: &[u8]) -> Self {
        let file = SafeTensors::deserialize(bytes).unwrap();
        let of = |(name, view): (String, TensorView<'_>)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F64 => data.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
                Dtype::F32 => {
                    data.chunks(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
                }
                Dtype::U8 => data.iter().map(|b| f64::from(*b)).collect(),
                other => panic!("{other:?}"),
            };
            (name, (view.shape().to_vec(), values))
        };
        Self(file.tensors().into_iter().map(of).collect())
    }

    fn at(&self, name: &str, i: usize, j: usize) -> f64 {
        let (shape, values) = &self.0[name];
        assert!(shape.len() == 2 && i < shape[0] && j < shape[1], "{name}: {shape:?}");
        values[i * shape[1] + j]
    }

    /// `Σ_j weight[i, j] of[j]`.
    fn product(&self, name: &str, i: usize, of: &[f64]) -> f64 {
        assert_eq!(self.0[name].0[1], of.len(), "{name}");
        of.iter().enumerate().map(|(j, x)| self.at(name, i, j) * x).sum()
    }

    fn one(&self, name: &str, i: usize) -> f64 {
        let (shape, values) = &self.0[name];
        assert_eq!(shape.len(), 1, "{name}: {shape:?}");
        values[i]
    }

    /// Two layers of tanh units, `c = tanh(W c⁻ + U x + b)`.
    fn rnn(&self, state: &mut [Vec<f64>; 2], x: &[f64]) -> Vec<f64> {
        let mut below = x.to_vec();
        for (layer, c) in state.iter_mut().enumerate() {
            let of = |part: &str| format!("layer{layer}.{part}");
            let unit = |i| {
                let sum = self.product(&of("w"), i, c) + self.product(&of("u"), i, &below);
                (sum + self.one(&of("b"), i)).tanh()
            };
            *c = (0..UNITS).map(unit).collect();
            below.clone_from(c);
        }
        below
    }

    /// `c = u z + (1 − u) c⁻ − y⁻` and `y = c H(c − ϑ)`, with gates that read x and y⁻, and a reset before the product.
    fn egru(&self, state: &mut [Vec<f64>; 2], x: &[f64]) -> Vec<f64> {
        let [c, y] = state;
        let sum = |gate: &str, i: usize, y: &[f64]| {
            let of = |part: &str| format!("layer0.w{gate}_{part}");
            self.product(&of("x"), i, x)
                + self.product(&of("y"), i, y)
                + self.one(&format!("layer0.b{gate}"), i)
        };
        let sigmoid = |s: f64| 1.0 / (1.0 + (-s).exp());
        let reset: Vec<f64> = (0..UNITS).map(|i| sigmoid(sum("r", i, y)) * y[i]).collect();
        let unit = |i: usize| {
            let u = sigmoid(sum("u", i, y));
            u * sum("z", i, &reset).tanh() + (1.0 - u) * c[i] - y[i]
        };
        let next: Vec<f64> = (0..UNITS).map(unit).collect();
        *y = (0..UNITS).map(|i| if next[i] > self.one("layer0.theta", i) { next[i] } else { 0.0 }).collect();
        c.clone_from(&next);
        y.clone()
    }
}

fn spec(cell: &str) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(2, UNITS, 2);
    spec.model.network.layers[0].cell = cell.into();
    if cell == "rnn" {
        spec.model.network.layers.push(spec.model.network.layers[0].clone());
    }
    (spec.model.mask.sparsity, spec.direct) = (0.4, 1);
    (spec.standardise, spec.standardise_target) = (vec![false; 3], false);
    spec
}

/// Checks that the outputs of the learner equal those of the formulas with the values of the file.
fn check_outputs(learner: &mut StreamLearner<f64>, bytes: &[u8], cell: &str) {
    let file = Read::new(bytes);
    let mut state = [vec![0.0; UNITS], vec![0.0; UNITS]];
    let mut active = 0;
    learner.reset(0);
    for t in 0..25 {
        let x = [(0.9 * t as f64).sin() * 2.0, 1.0 - (t % 4) as f64, 0.3 * t as f64];
        let y = if cell == "rnn" { file.rnn(&mut state, &x[..2]) } else { file.egru(&mut state, &x[..2]) };
        active += y.iter().filter(|y| **y != 0.0).count();
        let features = [&y[..], &x[2..], &x[..2]].concat();
        let o = learner.observe(&x).unwrap();
        for (k, o) in o.iter().enumerate() {
            let expected = file.product("readout.weight", k, &features) + file.one("readout.bias", k);
            assert_relative_eq!(*o, expected, max_relative = 1e-9, epsilon = 1e-12);
        }
    }
    assert!(active > 10, "expected more than 10 nonzero emissions, got {active}");
}

#[test]
fn export_of_a_trained_learner_predicts_as_the_formulas() {
    for cell in ["rnn", "egru"] {
        let mut learner = trained::<f64>(&spec(cell));
        let bytes = pack(&learner);
        check_outputs(&mut learner, &bytes, cell);
        // Pruned entries are 0 in the values and in the mask.
        let file = Read::new(&bytes);
        for block in learner.network().wiring().layout().blocks() {
            let Some((shape, mask)) = file.0.get(&mask_of(&block.spec)) else { continue };
            let values = &file.0[&block.spec.name];
            assert_eq!(*shape, values.0);
            assert_eq!(mask.iter().sum::<f64>(), block.kept.len() as f64);
            for (mask, value) in mask.iter().zip(&values.1) {
                assert!(*mask == 1.0 || (*mask == 0.0 && *value == 0.0), "{}", block.spec.name);
            }
        }
    }
}

/// A file with other values, all different, some of them pruned.
#[test]
fn import_of_other_values_predicts_as_the_formulas() {
    for cell in ["rnn", "egru"] {
        let spec = spec(cell);
        let mut names = SafeTensors::deserialize(&pack(&StreamLearner::<f64>::new(&spec, 1).unwrap()))
            .unwrap()
            .tensors()
            .iter()
            .map(|(name, view)| (name.clone(), view.dtype(), view.shape().to_vec()))
            .collect::<Vec<_>>();
        // The order in which tensors are listed differs from run to run.
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let mut seed = 0.0f64;
        let mut number = || {
            seed += 1.0;
            (seed * 12.9898).sin()
        };
        let made: Vec<_> = names
            .into_iter()
            .map(|(name, dtype, shape)| {
                let n: usize = shape.iter().product();
                let bytes: Vec<u8> = match dtype {
                    Dtype::U8 => (0..n).map(|k| u8::from(!(k + shape[1]).is_multiple_of(3))).collect(),
                    _ if name.ends_with("theta") => {
                        (0..n).flat_map(|_| (0.2 * number().abs()).to_le_bytes()).collect()
                    }
                    _ => (0..n).flat_map(|_| number().to_le_bytes()).collect(),
                };
                (name, dtype, shape, bytes)
            })
            .collect();
        let views = made.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        let mut learner = unpack::<f64>(&spec, 0, &bytes).unwrap();
        // Values are ignored where the mask is 0.
        let kept = made.iter().map(|(name, dtype, shape, bytes)| {
            let mask = made.iter().find(|other| other.0 == format!("{name}.mask"));
            let bytes = match mask {
                Some((_, _, _, mask)) => bytes
                    .chunks(8)
                    .zip(mask)
                    .flat_map(|(value, kept)| if *kept == 1 { value.to_vec() } else { vec![0; 8] })
                    .collect(),
                None => bytes.clone(),
            };
            (name.clone(), *dtype, shape.clone(), bytes)
        });
        let kept: Vec<_> = kept.collect();
        let views = kept.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        check_outputs(&mut learner, &safetensors::serialize(views, None).unwrap(), cell);
    }
}

#[test]
fn export_then_import_keeps_weights_and_precision() {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-exchange-{}", std::process::id()));
    let path = folder.join("weights.safetensors");
    let spec = spec("egru");
    let learner = trained::<f32>(&spec);
    export(&learner, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("layer0.wu_y").unwrap().dtype(), Dtype::F32);
    assert_eq!(file.tensor("layer0.wu_y.mask").unwrap().dtype(), Dtype::U8);
    assert_eq!(file.tensor("readout.weight").unwrap().shape(), [2, UNITS + 1 + 2]);
    assert_eq!(import::<f32>(&spec, 5, &path).unwrap().weights(), learner.weights());
    std::fs::write(&path, &bytes[..20]).unwrap();
    let Err(Error::Format { path: named, .. }) = import::<f32>(&spec, 5, &path) else { panic!("cut") };
    assert_eq!(named, path);
    std::fs::remove_dir_all(folder).unwrap();
    assert!(matches!(import::<f32>(&spec, 5, &path), Err(Error::Read { .. })));
}

/// A missing readout is drawn from the seed. Under least squares it is zero.
#[test]
fn import_without_a_readout_draws_it_from_the_seed() {
    for least in [true, false] {
        let mut spec = spec("egru");
        spec.least_squares = spec.least_squares.filter(|_| least);
        let bytes =
            [WEIGHT, BIAS].iter().fold(pack(&trained::<f64>(&spec)), |b, name| altered(&b, name, |_| None));
        let (learner, drawn) =
            (unpack::<f64>(&spec, 3, &bytes).unwrap(), StreamLearner::<f64>::new(&spec, 3).unwrap());
        let readout = |learner: &StreamLearner<f64>| {
            let p = learner.network().wiring().parameters();
            learner.weights()[p..].to_vec()
        };
        assert_eq!(readout(&learner), readout(&drawn));
        assert_eq!(readout(&learner).iter().all(|w| *w == 0.0), least);
    }
}

/// Without a mask, a zero is pruned if parameters of its kind are pruned; otherwise it is a weight
/// of 0.
#[test]
fn import_without_a_mask_prunes_zeros_of_pruned_kinds() {
    let zeroed = |bytes: Vec<u8>, name: &str| {
        let without = altered(&bytes, &format!("{name}.mask"), |_| None);
        altered(&without, name, |t| {
            let mut data = t.data().to_vec();
            // The second entry of the first row, and the last of all.
            data[8..16].fill(0);
            let last = data.len() - 8;
            data[last..].fill(0);
            Some((t.dtype(), t.shape().to_vec(), data))
        })
    };
    let mut full = spec("egru");
    full.model.mask.sparsity = 0.0;
    let bytes = pack(&trained::<f64>(&full));
    let bytes = ["layer0.wu_x", "layer0.wu_y"].iter().fold(bytes, |bytes, name| zeroed(bytes, name));
    let own = |sparsity, on| Some(MaskSpec { sparsity, on, ..MaskSpec::default() });
    let cases = [
        (0.0, MaskOn::All, None, (6, 9)),
        (0.5, MaskOn::Recurrent, None, (6, 7)),
        (0.5, MaskOn::All, None, (4, 7)),
        (0.5, MaskOn::All, own(0.0, MaskOn::All), (6, 9)),
        (0.0, MaskOn::All, own(0.1, MaskOn::Recurrent), (6, 7)),
    ];
    for (sparsity, on, own, expected) in cases {
        let mut spec = full.clone();
        (spec.model.mask.sparsity, spec.model.mask.on, spec.model.network.layers[0].mask) =
            (sparsity, on, own);
        let mut learner = unpack::<f64>(&spec, 0, &bytes).unwrap();
        let kept = |name: &str| learner.network().wiring().layout().block(name).unwrap().kept.len();
        assert_eq!((kept("layer0.wu_x"), kept("layer0.wu_y")), expected);
        assert_eq!((kept("layer0.wz_x"), kept("layer0.wz_y"), kept("layer0.theta")), (6, 9, 3));
        check_outputs(&mut learner, &bytes, "egru");
    }
}

#[test]
fn import_accepts_both_precisions_and_both_mask_types() {
    let spec = spec("egru");
    let (single, double) = (trained::<f32>(&spec), trained::<f64>(&spec));
    let wide = unpack::<f64>(&spec, 0, &pack(&single)).unwrap();
    assert!(wide.weights().iter().zip(single.weights()).all(|(a, b)| *a == f64::from(*b)));
    let bytes = pack(&double);
    let narrow = unpack::<f32>(&spec, 0, &bytes).unwrap();
    assert!(narrow.weights().iter().zip(double.weights()).all(|(a, b)| *a == *b as f32));
    let mask = "layer0.wr_y.mask";
    let bools = altered(&bytes, mask, |t| Some((Dtype::BOOL, t.shape().to_vec(), t.data().to_vec())));
    assert_eq!(unpack::<f64>(&spec, 0, &bools).unwrap().weights(), double.weights());
    let other = altered(&bytes, mask, |t| Some((Dtype::I8, t.shape().to_vec(), t.data().to_vec())));
    assert!(outcome::<f64>(&spec, &other).contains("of type U8"));
    let flat = altered(&bytes, "layer0.bu", |t| Some((t.dtype(), vec![UNITS, 1], t.data().to_vec())));
    assert_eq!(outcome::<f64>(&spec, &flat), "expected 'layer0.bu' of shape [3], got [3, 1]");
    let transposed = altered(&bytes, "readout.weight", |t| Some((t.dtype(), vec![6, 2], t.data().to_vec())));
    assert_eq!(outcome::<f64>(&spec, &transposed), "expected 'readout.weight' of shape [2, 6], got [6, 2]");
}

/// Imported thresholds are clamped to [0, 1].
#[test]
fn import_of_thresholds_clamps_them_to_their_range() {
    let spec = spec("egru");
    let values = [-0.5f64, 0.25, 1.5];
    let bytes = altered(&pack(&trained::<f64>(&spec)), "layer0.theta", |t| {
        Some((t.dtype(), t.shape().to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect()))
    });
    let learner = unpack::<f64>(&spec, 0, &bytes).unwrap();
    let block = learner.network().wiring().layout().block("layer0.theta").unwrap();
    let found: Vec<_> = block.places.iter().map(|place| learner.weights()[*place]).collect();
    assert_eq!(found, [0.0, 0.25, 1.0]);
}
