//! What `inspect` says of a checkpoint, held against the rows, the output and the exported weights.

use super::csv;
use super::numbers;
use super::ok;
use crate::programs::{folder, program, run};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::process::Stdio;

fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap_or_else(|_| panic!("no {name}"));
    let bytes = tensor.data();
    match tensor.dtype() {
        safetensors::Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
        }
        safetensors::Dtype::F64 => {
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
        }
        _ => bytes.iter().map(|b| f64::from(*b)).collect(),
    }
}

fn near(said: &Value, expected: f64, what: &str) {
    let said = said.as_f64().unwrap_or_else(|| panic!("{what}: {said}"));
    assert!((said - expected).abs() <= 1e-6 * expected.abs().max(1e-3), "{what}: {said}, not {expected}");
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn description_of_a_checkpoint_equals_what_was_streamed_and_exported() {
    let folder = folder("inspected");
    for precision in ["f32", "f64"] {
        let text = csv(200).replacen("7,", "x,", 1);
        fs::write(folder.join("in.csv"), &text).unwrap();
        let saved = format!("--checkpoint {precision} -o {precision}.csv --every 1 --on-bad-row skip");
        let net = "--units 6 --param-sparsity 0.5 --window 50 --horizon 2 --cyclic hour:24";
        ok(&run(&folder, &format!("stream in.csv --target load {net} --precision {precision} {saved}"), b""));
        let said = ok(&run(&folder, &format!("inspect {precision} --json --export w"), b""));
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["settings"]["precision"], precision);
        assert_eq!(said["columns"], serde_json::json!(["hour", "load"]));
        let rows: Vec<&str> = text.lines().skip(1).collect();
        // Two rows wait for their targets, and one did not fit.
        for (name, count) in
            [("rows", 200), ("learned", 197), ("skipped", 1), ("diverged", 0), ("updates", 197)]
        {
            assert_eq!(said[name], count, "{name}");
        }
        let read = format!("{}\n", rows.join("\n"));
        assert_eq!(said["checksum"], format!("{:08x}", crc32fast::hash(read.as_bytes())));
        let lines = fs::read_to_string(folder.join(format!("{precision}.csv"))).unwrap();
        for name in ["mae", "nrmse", "window_mae", "window_nrmse"] {
            let last = numbers(&lines, name).pop().unwrap().unwrap();
            near(&said["metrics"][name.replace('_', "-")], last, name);
        }
        weights(&said, &fs::read(folder.join("w")).unwrap());
        // What is standardised: the load, as a feature and as the target, but neither sine nor cosine.
        let fits = rows.iter().filter(|row| !row.starts_with('x'));
        let loads: Vec<f64> = fits.map(|row| row.split_once(',').unwrap().1.parse().unwrap()).collect();
        let (mean, deviation) = moments(&loads);
        for of in said["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|of| of["name"] == "load")
            .chain([&said["target"]])
        {
            assert_eq!(of["name"], "load");
            near(&of["mean"], mean, "mean");
            near(&of["deviation"], deviation, "deviation");
        }
        let plain = said["inputs"].as_array().unwrap().iter().filter(|of| of["mean"].is_null());
        assert!(plain.clone().count() == 2 && plain.clone().all(|of| of["deviation"].is_null()));
    }
}

/// Blocks are those of the file that was exported.
fn weights(said: &Value, bytes: &[u8]) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (mut kept, mut all, mut masked) = (0, 0, (0.0, 0.0));
    let blocks = said["blocks"].as_array().unwrap();
    let (readout, blocks) = blocks.split_last().unwrap();
    for block in blocks {
        let name = block["name"].as_str().unwrap();
        let values = tensor(&file, name);
        let mask = match file.tensor(&format!("{name}.mask")) {
            Ok(_) => tensor(&file, &format!("{name}.mask")),
            Err(_) => vec![1.0; values.len()],
        };
        let there = mask.iter().sum::<f64>();
        assert_eq!(
            (block["kept"].as_f64(), block["of"].as_u64()),
            (Some(there), Some(values.len() as u64)),
            "{name}"
        );
        near(&block["norm"], values.iter().map(|w| w * w).sum::<f64>().sqrt(), name);
        (kept, all) = (kept + there as u64, all + values.len() as u64);
        if there < values.len() as f64 {
            masked = (masked.0 + there, masked.1 + values.len() as f64);
        }
    }
    assert_eq!((said["parameters"].as_u64(), said["parameters_unmasked"].as_u64()), (Some(kept), Some(all)));
    near(&said["param_sparsity"], 1.0 - masked.0 / masked.1, "sparsity");
    let values = [tensor(&file, "readout.weight"), tensor(&file, "readout.bias")].concat();
    assert_eq!(
        (readout["kept"].as_u64(), readout["of"].as_u64()),
        (Some(values.len() as u64), Some(values.len() as u64))
    );
    near(&readout["norm"], values.iter().map(|w| w * w).sum::<f64>().sqrt(), "readout");
}

#[test]
fn words_of_a_checkpoint_are_its_description() {
    let folder = folder("inspect-words");
    ok(&run(&folder, "stream --target load --units 6 --checkpoint c", csv(50).as_bytes()));
    let words = ok(&run(&folder, "inspect c", b""));
    let said: Value = serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    let number = |value: &Value, digits: usize| format!("{:.digits$}", value.as_f64().unwrap());
    let line = |begin: &str| {
        let found = words.lines().rfind(|line| line.starts_with(begin));
        found.unwrap_or_else(|| panic!("no {begin}: {words}")).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("mae ")[1], number(&said["metrics"]["mae"], 6));
    let target = [number(&said["target"]["mean"], 5), number(&said["target"]["deviation"], 5)];
    assert_eq!(line("load ")[1..], target);
    for block in said["blocks"].as_array().unwrap() {
        let expected = [block["kept"].to_string(), block["of"].to_string(), number(&block["norm"], 5)];
        assert_eq!(line(&format!("{} ", block["name"].as_str().unwrap()))[1..], expected);
    }
    let rows =
        format!("rows 50: 50 learned, 0 skipped; {} updates, diverged 0 times; checksum", said["updates"]);
    assert!(line("rows ").join(" ").starts_with(&rows), "{words}");
    let parameters = format!("parameters {} of {}, ω", said["parameters"], said["parameters_unmasked"]);
    assert!(line("parameters ").join(" ").starts_with(&parameters), "{words}");
}

#[test]
fn description_that_nobody_reads_is_no_failure() {
    let folder = folder("inspect-closed");
    ok(&run(&folder, "stream --target load --units 6 --checkpoint c", csv(20).as_bytes()));
    for words in ["inspect c", "train --print-config"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(&folder, words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words}");
    }
}
