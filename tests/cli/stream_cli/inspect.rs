//! `inspect` compared with the rows, the output and the exported weights.

use super::csv;
use super::numbers;
use super::ok;
use crate::programs::{folder, program, run};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::process::Stdio;

/// The values of a tensor of an exported file.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap_or_else(|_| panic!("expected a tensor {name}"));
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

fn assert_close(found: &Value, expected: f64, name: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{name}: expected a number, got {found}"));
    let tolerance = 1e-6 * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= tolerance, "{name}: expected {expected}, got {found}");
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn inspect_json_equals_streamed_rows_and_exported_weights() {
    let folder = folder("inspected");
    for precision in ["f32", "f64"] {
        let text = csv(200).replacen("7,", "x,", 1);
        fs::write(folder.join("in.csv"), &text).unwrap();
        let saved = format!("--checkpoint {precision} -o {precision}.csv --every 1 --on-bad-row skip");
        let net = "--units 6 --param-sparsity 0.5 --window 50 --horizon 2 --cyclic hour:24";
        ok(&run(&folder, &format!("stream in.csv --target load {net} --precision {precision} {saved}"), b""));
        let description = ok(&run(&folder, &format!("inspect {precision} --json --export w"), b""));
        let description: Value = serde_json::from_str(&description).unwrap();
        assert_eq!(description["settings"]["precision"], precision);
        assert_eq!(description["columns"], serde_json::json!(["hour", "load"]));
        let rows: Vec<&str> = text.lines().skip(1).collect();
        // Two rows have no target yet, and one row is invalid.
        for (name, count) in
            [("rows", 200), ("learned", 197), ("skipped", 1), ("diverged", 0), ("updates", 197)]
        {
            assert_eq!(description[name], count, "{name}");
        }
        let read = format!("{}\n", rows.join("\n"));
        assert_eq!(description["checksum"], format!("{:08x}", crc32fast::hash(read.as_bytes())));
        let lines = fs::read_to_string(folder.join(format!("{precision}.csv"))).unwrap();
        for name in ["mae", "nrmse", "window_mae", "window_nrmse"] {
            let last = numbers(&lines, name).pop().unwrap().unwrap();
            assert_close(&description["metrics"][name.replace('_', "-")], last, name);
        }
        check_blocks(&description, &fs::read(folder.join("w")).unwrap());
        // The load is standardised, as a feature and as the target; sine and cosine are not.
        let valid = rows.iter().filter(|row| !row.starts_with('x'));
        let loads: Vec<f64> = valid.map(|row| row.split_once(',').unwrap().1.parse().unwrap()).collect();
        let (mean, deviation) = moments(&loads);
        for feature in description["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|feature| feature["name"] == "load")
            .chain([&description["target"]])
        {
            assert_eq!(feature["name"], "load");
            assert_close(&feature["mean"], mean, "mean");
            assert_close(&feature["deviation"], deviation, "deviation");
        }
        let plain =
            description["inputs"].as_array().unwrap().iter().filter(|feature| feature["mean"].is_null());
        assert!(plain.clone().count() == 2 && plain.clone().all(|feature| feature["deviation"].is_null()));
    }
}

/// Compares the parameter blocks of a description with an exported file.
fn check_blocks(description: &Value, bytes: &[u8]) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (mut kept, mut all, mut masked) = (0, 0, (0.0, 0.0));
    let blocks = description["blocks"].as_array().unwrap();
    let (readout, blocks) = blocks.split_last().unwrap();
    for block in blocks {
        let name = block["name"].as_str().unwrap();
        let values = tensor(&file, name);
        let mask = match file.tensor(&format!("{name}.mask")) {
            Ok(_) => tensor(&file, &format!("{name}.mask")),
            Err(_) => vec![1.0; values.len()],
        };
        let entries = mask.iter().sum::<f64>();
        assert_eq!(
            (block["kept"].as_f64(), block["of"].as_u64()),
            (Some(entries), Some(values.len() as u64)),
            "{name}"
        );
        assert_close(&block["norm"], values.iter().map(|w| w * w).sum::<f64>().sqrt(), name);
        (kept, all) = (kept + entries as u64, all + values.len() as u64);
        if entries < values.len() as f64 {
            masked = (masked.0 + entries, masked.1 + values.len() as f64);
        }
    }
    assert_eq!(
        (description["parameters"].as_u64(), description["parameters_unmasked"].as_u64()),
        (Some(kept), Some(all))
    );
    assert_close(&description["param_sparsity"], 1.0 - masked.0 / masked.1, "sparsity");
    let values = [tensor(&file, "readout.weight"), tensor(&file, "readout.bias")].concat();
    assert_eq!(
        (readout["kept"].as_u64(), readout["of"].as_u64()),
        (Some(values.len() as u64), Some(values.len() as u64))
    );
    assert_close(&readout["norm"], values.iter().map(|w| w * w).sum::<f64>().sqrt(), "readout");
}

#[test]
fn inspect_text_equals_json() {
    let folder = folder("inspect-text");
    ok(&run(&folder, "stream --target load --units 6 --checkpoint c", csv(50).as_bytes()));
    let text = ok(&run(&folder, "inspect c", b""));
    let description: Value = serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    let number = |value: &Value, digits: usize| format!("{:.digits$}", value.as_f64().unwrap());
    let line = |begin: &str| {
        let found = text.lines().rfind(|line| line.starts_with(begin));
        found
            .unwrap_or_else(|| panic!("expected a line {begin}: {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("mae ")[1], number(&description["metrics"]["mae"], 6));
    let target = [number(&description["target"]["mean"], 5), number(&description["target"]["deviation"], 5)];
    assert_eq!(line("load ")[1..], target);
    for block in description["blocks"].as_array().unwrap() {
        let expected = [block["kept"].to_string(), block["of"].to_string(), number(&block["norm"], 5)];
        assert_eq!(line(&format!("{} ", block["name"].as_str().unwrap()))[1..], expected);
    }
    let rows = format!(
        "rows 50: 50 learned, 0 skipped; {} updates, diverged 0 times; checksum",
        description["updates"]
    );
    assert!(line("rows ").join(" ").starts_with(&rows), "{text}");
    let parameters =
        format!("parameters {} of {}, ω", description["parameters"], description["parameters_unmasked"]);
    assert!(line("parameters ").join(" ").starts_with(&parameters), "{text}");
}

#[test]
fn inspect_closed_output_exits_successfully() {
    let folder = folder("inspect-closed");
    ok(&run(&folder, "stream --target load --units 6 --checkpoint c", csv(20).as_bytes()));
    for arguments in ["inspect c", "train --print-config"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(&folder, arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments}");
    }
}
