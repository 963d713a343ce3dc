//! Export and import of weights as [safetensors](https://github.com/huggingface/safetensors). There
//! is one tensor per parameter block, with the name of the block in the layout:
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `layer0.wu_x`, `layer0.wu_y`, … | units × sources | weights; 0 if pruned |
//! | `layer0.wu_y.mask`, … | units × sources, U8 | 1 if kept, 0 if pruned |
//! | `layer0.bu`, `layer0.theta`, … | units | biases and thresholds |
//! | `readout.weight` | outputs × features | features: emissions, direct inputs, network inputs |
//! | `readout.bias` | outputs | biases |
//!
//! Values are F32 or F64 and can be imported in either precision. The readout tensors are optional:
//! without them, the readout has its initial values (zero for least squares).
//!
//! **Without a mask tensor**, every weight of a block is kept, unless the settings mask blocks of
//! its kind (`param-sparsity` above 0). Then weights that are zero are pruned.
//!
//! The file does not contain the standardisation of inputs. After an import it starts anew.

use crate::error::{Error, Result};
use crate::file;
use crate::learner::online::{StreamLearner, StreamLearnerSpec};
use crate::params::{Kind, ParamBlock, ParamBlockSpec, Pattern};
use crate::scalar::Real;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;

const WEIGHT: &str = "readout.weight";
const BIAS: &str = "readout.bias";

/// Writes the weights of a learner to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn export<T: Real>(learner: &StreamLearner<T>, path: &Path) -> Result<()> {
    file::replace(path, pack(learner))
}

/// Creates a learner with the weights of a file. Its other state is the state of a new learner.
///
/// # Errors
/// If the file cannot be read, or a tensor is missing, is unknown, or has another shape or type.
pub fn import<T: Real>(spec: &StreamLearnerSpec, seed: u64, path: &Path) -> Result<StreamLearner<T>> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    unpack(spec, seed, &bytes).map_err(|error| match error {
        ImportError::Format(why) => Error::Format { path: path.into(), why },
        ImportError::Other(error) => error,
    })
}

/// A tensor to write.
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn pack<T: Real>(learner: &StreamLearner<T>) -> Vec<u8> {
    let (layout, w) = (learner.network().wiring().layout(), learner.weights());
    let mut tensors: Vec<Tensor> = Vec::new();
    for block in layout.blocks() {
        let mut values = vec![T::zero(); block.spec.dense_len()];
        let mut mask = vec![0u8; values.len()];
        let (_, cols) = block.spec.shape();
        for ((i, j), &place) in block.kept.entries().zip(&block.places) {
            (values[i * cols + j], mask[i * cols + j]) = (w[place], 1);
        }
        let shape = shape(&block.spec);
        tensors.push(tensor(block.spec.name.clone(), shape.clone(), &values));
        if shape.len() == 2 {
            tensors.push(Tensor { name: mask_of(&block.spec), dtype: Dtype::U8, shape, bytes: mask });
        }
    }
    let (weights, biases) = w[layout.len()..].split_at(w.len() - layout.len() - learner.spec().model.outputs);
    tensors.push(tensor(WEIGHT.into(), vec![biases.len(), weights.len() / biases.len()], weights));
    tensors.push(tensor(BIAS.into(), vec![biases.len()], biases));
    let views = tensors.iter().map(|t| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes);
        (t.name.as_str(), view.expect("the number of bytes must match the shape"))
    });
    let about = HashMap::from([("format".to_string(), "sparse-rtrl".to_string())]);
    safetensors::serialize(views, Some(about))
        .expect("serialization in memory with distinct names must succeed")
}

fn tensor<T: Real>(name: String, shape: Vec<usize>, values: &[T]) -> Tensor {
    let double = size_of::<T>() == 8;
    let bytes = values.iter().flat_map(|v| match double {
        true => v.as_f64().to_le_bytes().to_vec(),
        false => (v.as_f64() as f32).to_le_bytes().to_vec(),
    });
    Tensor { name, dtype: if double { Dtype::F64 } else { Dtype::F32 }, shape, bytes: bytes.collect() }
}

/// An error of an import, without the path of the file.
#[derive(Debug)]
enum ImportError {
    Format(String),
    Other(Error),
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn unpack<T: Real>(
    spec: &StreamLearnerSpec,
    seed: u64,
    bytes: &[u8],
) -> std::result::Result<StreamLearner<T>, ImportError> {
    let wrong = |why: String| ImportError::Format(why);
    let file = SafeTensors::deserialize(bytes)
        .map_err(|why| wrong(format!("expected a safetensors file, got something else ({why})")))?;
    // The source of initial values for tensors that are not in the file.
    let drawn = StreamLearner::<T>::new(spec, seed)?;
    let blocks: Vec<ParamBlockSpec> =
        drawn.network().wiring().layout().blocks().iter().map(|b| b.spec.clone()).collect();
    let (readout, p) = (drawn.weights(), drawn.network().wiring().parameters());
    let readout = &readout[p..];
    let features = readout.len() / spec.model.outputs - 1;
    let known = |name: &str| {
        [WEIGHT, BIAS].contains(&name) || blocks.iter().any(|b| b.name == name || mask_of(b) == name)
    };
    if let Some(name) = file.names().into_iter().find(|name| !known(name)) {
        let names =
            blocks.iter().map(|b| b.name.as_str()).chain([WEIGHT, BIAS]).collect::<Vec<_>>().join(", ");
        return Err(wrong(format!("expected the tensors {names} and masks, got '{name}'")));
    }
    let mut values = HashMap::new();
    let mut patterns = Vec::new();
    for block in &blocks {
        let found = numbers(&file, &block.name, &shape(block))?
            .ok_or_else(|| wrong(format!("expected a tensor '{}', got none", block.name)))?;
        patterns.push(pattern(&file, spec, block, &found)?);
        values.insert(block.name.clone(), found);
    }
    let weight = numbers(&file, WEIGHT, &[spec.model.outputs, features])?;
    let bias = numbers(&file, BIAS, &[spec.model.outputs])?;
    let of_readout: Vec<T> = match (weight, bias) {
        (Some(weight), Some(bias)) => weight.into_iter().chain(bias).map(T::of).collect(),
        (None, None) => readout.to_vec(),
        _ => return Err(wrong(format!("expected both {WEIGHT} and {BIAS} or neither, got one"))),
    };
    let learner = StreamLearner::with_weights(
        spec,
        seed,
        |_| Ok(patterns),
        |learner| {
            let layout = learner.network().wiring().layout();
            let mut w = vec![T::zero(); layout.len()];
            for block in layout.blocks() {
                fill(&mut w, block, &values[&block.spec.name]);
            }
            w.extend(of_readout);
            Ok(w)
        },
    );
    Ok(learner?)
}

/// Copies the kept values of a block to the parameter buffer.
fn fill<T: Real>(w: &mut [T], block: &ParamBlock, values: &[f64]) {
    let (_, cols) = block.spec.shape();
    for ((i, j), &place) in block.kept.entries().zip(&block.places) {
        w[place] = T::of(values[i * cols + j]);
    }
}

/// Returns the pattern of kept weights of a block.
fn pattern(
    file: &SafeTensors<'_>,
    spec: &StreamLearnerSpec,
    block: &ParamBlockSpec,
    values: &[f64],
) -> std::result::Result<Pattern, ImportError> {
    let (rows, cols) = block.shape();
    let mask = spec.model.network.layers[block.layer].mask.unwrap_or(spec.model.mask);
    let masked = mask.sparsity > 0.0 && mask.on.kinds().contains(&block.kind);
    let kept: Vec<bool> = match file.tensor(&mask_of(block)) {
        Ok(found) => {
            let (dtype, shape) = (found.dtype(), found.shape());
            if !matches!(dtype, Dtype::U8 | Dtype::BOOL) || shape != [rows, cols] {
                let expected = format!("'{}' of type U8 and shape {:?}", mask_of(block), [rows, cols]);
                return Err(ImportError::Format(format!("expected {expected}, got {dtype:?} and {shape:?}")));
            }
            found.data().iter().map(|byte| *byte != 0).collect()
        }
        Err(_) => values.iter().map(|value| !masked || *value != 0.0).collect(),
    };
    let entries = kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(k, _)| (k / cols, k % cols));
    Ok(Pattern::new(rows, cols, entries.collect()))
}

/// Returns the values of a tensor, or `None` if the file has no such tensor.
fn numbers(
    file: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> std::result::Result<Option<Vec<f64>>, ImportError> {
    let Ok(found) = file.tensor(name) else { return Ok(None) };
    if found.shape() != shape {
        return Err(ImportError::Format(format!(
            "expected '{name}' of shape {shape:?}, got {:?}",
            found.shape()
        )));
    }
    let data = found.data();
    let values = match found.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        other => {
            return Err(ImportError::Format(format!("expected '{name}' of type F32 or F64, got {other:?}")));
        }
    };
    Ok(Some(values))
}

/// Returns the shape of a block's tensor: rows and columns of weights, units of biases and
/// thresholds.
fn shape(block: &ParamBlockSpec) -> Vec<usize> {
    let (rows, cols) = block.shape();
    match block.kind {
        Kind::Input | Kind::Recurrent => vec![rows, cols],
        Kind::Bias | Kind::Threshold => vec![rows],
    }
}

fn mask_of(block: &ParamBlockSpec) -> String {
    format!("{}.mask", block.name)
}

#[cfg(test)]
mod tests;
