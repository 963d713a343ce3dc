//! Files written by hand, as another program would write them.

use super::*;

/// Name, shape and values of a tensor.
type Written = (&'static str, Vec<usize>, Vec<f64>);

/// Spec and tensors of two tanh layers with two inputs, one direct input and two outputs.
fn by_hand() -> (StreamLearnerSpec, Vec<Written>) {
    let mut spec = StreamLearnerSpec::new(2, 2, 2);
    spec.model.network.layers[0].cell = "rnn".into();
    spec.model.network.layers.push(spec.model.network.layers[0].clone());
    spec.model.network.layers[1].units = 3;
    (spec.direct, spec.standardise) = (1, vec![false; 3]);
    let tensors = vec![
        ("layer0.w", vec![2, 2], vec![0.1, 0.5, -0.3, 0.2]),
        ("layer0.u", vec![2, 2], vec![0.7, -0.2, 0.4, 0.9]),
        ("layer0.b", vec![2], vec![0.05, -0.15]),
        ("layer1.w", vec![3, 3], vec![0.3, -0.6, 0.1, 0.2, 0.4, -0.5, 0.8, -0.1, 0.6]),
        ("layer1.u", vec![3, 2], vec![0.2, 1.1, -0.9, 0.3, 0.5, -0.4]),
        ("layer1.b", vec![3], vec![0.01, 0.02, -0.03]),
        // Three emissions, the direct input, the network's two inputs.
        (WEIGHT, vec![2, 6], vec![1.0, 2.0, 3.0, 40.0, 500.0, 600.0, -1.0, 0.5, 0.25, 7.0, -8.0, 9.0]),
        (BIAS, vec![2], vec![0.125, -0.25]),
    ];
    (spec, tensors)
}

fn file(tensors: &[Written]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// Rows are units and columns are sources. Features are emissions, direct inputs and inputs. The
/// expected outputs are computed from the tensors.
#[test]
fn import_of_a_file_by_hand_predicts_as_its_equations() {
    let (spec, tensors) = by_hand();
    let mut learner = unpack::<f64>(&spec, 0, &file(&tensors)).unwrap();
    let of = |name: &str| &tensors.iter().find(|t| t.0 == name).unwrap().2;
    let product = |name: &str, x: &[f64]| -> Vec<f64> {
        of(name).chunks(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    };
    let (mut lower, mut upper) = (vec![0.0; 2], vec![0.0; 3]);
    for x in [[0.3, -0.8, 0.6], [-0.5, 0.2, 0.9], [0.1, 0.4, -0.7]] {
        let layer = |of_own: Vec<f64>, of_below: Vec<f64>, b: &[f64]| -> Vec<f64> {
            (0..b.len()).map(|i| (of_own[i] + of_below[i] + b[i]).tanh()).collect()
        };
        lower = layer(product("layer0.w", &lower), product("layer0.u", &x[..2]), of("layer0.b"));
        upper = layer(product("layer1.w", &upper), product("layer1.u", &lower), of("layer1.b"));
        let features = [upper[0], upper[1], upper[2], x[2], x[0], x[1]];
        let output = product(WEIGHT, &features);
        for (k, found) in learner.observe(&x).unwrap().iter().enumerate() {
            approx::assert_relative_eq!(*found, output[k] + of(BIAS)[k], max_relative = 1e-12);
        }
    }
}

#[test]
fn export_of_imported_tensors_writes_the_same_values() {
    let (spec, tensors) = by_hand();
    let bytes = pack(&unpack::<f64>(&spec, 0, &file(&tensors)).unwrap());
    let written = SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape, values) in &tensors {
        let found = written.tensor(name).unwrap();
        assert_eq!((found.dtype(), found.shape()), (Dtype::F64, &shape[..]), "{name}");
        let found: Vec<f64> =
            found.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        assert_eq!(found, *values, "{name}");
        let mask = written.tensor(&format!("{name}.mask"));
        assert_eq!(mask.is_ok(), shape.len() == 2 && *name != WEIGHT, "{name}");
        assert!(mask.is_err() || mask.unwrap().data().iter().all(|kept| *kept == 1), "{name}");
    }
    let masks = 4;
    assert_eq!(written.len(), tensors.len() + masks);
    let (spec, single) = (by_hand().0, trained_single());
    let bytes = pack(&single);
    let written = SafeTensors::deserialize(&bytes).unwrap();
    let weight = written.tensor(WEIGHT).unwrap();
    assert_eq!((weight.dtype(), weight.data().len()), (Dtype::F32, 4 * 12));
    let p = single.network().wiring().parameters();
    let first = f32::from_le_bytes(*weight.data().first_chunk::<4>().unwrap());
    assert_eq!((first, spec.model.outputs), (single.weights()[p], 2));
}

fn trained_single() -> StreamLearner<f32> {
    trained(&by_hand().0)
}

/// A masked block holds its weights where the mask is 1, and zero elsewhere.
#[test]
fn export_of_masked_weights_is_zero_where_they_are_pruned() {
    let spec = spec();
    let learner = trained::<f64>(&spec);
    let bytes = pack(&learner);
    let written = SafeTensors::deserialize(&bytes).unwrap();
    let block = learner.network().wiring().layout().block("layer0.wz_y").unwrap();
    let (values, mask) =
        (written.tensor("layer0.wz_y").unwrap(), written.tensor("layer0.wz_y.mask").unwrap());
    let values: Vec<f64> = values.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    for i in 0..5 {
        for j in 0..5 {
            let place = block.kept.entries().position(|entry| entry == (i, j)).map(|k| block.places[k]);
            assert_eq!(mask.data()[5 * i + j], u8::from(place.is_some()), "({i}, {j})");
            assert_eq!(values[5 * i + j], place.map_or(0.0, |place| learner.weights()[place]), "({i}, {j})");
        }
    }
    assert_eq!(mask.data().iter().filter(|kept| **kept == 1).count(), 13);
}
