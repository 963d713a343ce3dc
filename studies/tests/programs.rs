//! All programs except figure3: output, result files, and errors for invalid input.

mod common;

use common::{program, scratch, text};
use std::process::Output;

fn run(name: &str, flags: &[&str]) -> Output {
    program(name).args(flags).output().expect("the program runs")
}

#[test]
fn table1_predicted_macs_and_bytes_equal_counted_ones() {
    let out = scratch("table1");
    let flags =
        ["--units", "8", "--param-sparsity", "0,0.5", "--epsilon", "0.5", "--steps", "4", "--warm-up", "6"];
    let output = run("table1", &[&flags[..], &["--out", out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("derived"));
    let mut csv = csv::Reader::from_path(out.join("table1.csv")).unwrap();
    let names: Vec<String> = csv.headers().unwrap().iter().map(String::from).collect();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let rules = sparse_rtrl::rule::registry::<f32>().len();
    assert_eq!(rows.len(), 2 * 2 * rules);
    for row in &rows {
        let field = |name: &str| &row[names.iter().position(|n| n == name).unwrap()];
        assert_eq!(field("predicted_macs"), field("counted_macs"), "{row:?}");
        assert_eq!(field("predicted_bytes"), field("bytes"), "{row:?}");
        let cosine: f64 = field("gradient_cosine").parse().unwrap();
        if field("claim") == "Exact" {
            assert!((cosine - 1.0).abs() < 1e-5, "{row:?}");
        }
        // The backward pass over the tape costs at most every coupling and every parameter per
        // step, with any warm-up.
        if field("rule") == "bptt" {
            let (macs, p): (f64, f64) =
                (field("counted_macs").parse().unwrap(), field("parameters").parse().unwrap());
            assert!(macs <= p + 64.0, "{row:?}");
        }
    }
    let markdown = std::fs::read_to_string(out.join("table1.md")).unwrap();
    assert!(markdown.contains("cargo study table1 -- --units 8"));
}

#[test]
fn compare_with_two_seeds_reports_every_rule_on_both_tasks() {
    let out = scratch("compare");
    let flags = ["--iterations", "2", "--seeds", "2", "--copy-units", "4", "--out", out.to_str().unwrap()];
    let output = run("compare", &flags);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let markdown = std::fs::read_to_string(out.join("compare.md")).unwrap();
    for rule in ["rtrl", "bptt", "snap-1", "snap-2", "rflo", "e-prop", "tbptt-8", "uoro"] {
        assert_eq!(markdown.matches(&format!("| {rule} ")).count(), 2, "{rule}:\n{markdown}");
    }
}

#[test]
fn speed_with_20_steps_prints_timings_and_dumps_the_network() {
    for cell in ["event-rnn", "egru"] {
        for rule in ["rtrl", "rtrl-blocked-4"] {
            let output = run("speed", &["--cell", cell, "--units", "8", "--rule", rule, "--steps", "20"]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let lines = text(&output.stdout);
            assert_eq!(lines.lines().count(), 5);
            for line in lines.lines() {
                let timed: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(
                    timed["microseconds"].as_f64().unwrap() > 0.0 && timed["macs"].as_f64().unwrap() > 0.0
                );
                let live = timed["live_measured"].as_f64().unwrap();
                assert!(
                    (0.05..=0.8).contains(&live),
                    "expected a share of live rows of about 0.3, got {live}"
                );
            }
        }
    }
    let file = scratch("net.json");
    let output = run("speed", &["--units", "8", "--dump", file.to_str().unwrap(), "--dump-steps", "3"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let net: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let entries: usize =
        net["blocks"].as_array().unwrap().iter().map(|b| b["entries"].as_array().unwrap().len()).sum();
    let gradients = net["gradients"].as_array().unwrap();
    assert_eq!((gradients.len(), gradients[2].as_array().unwrap().len()), (3, entries));
}

#[test]
fn stream_studies_on_synthetic_data_have_lower_error_than_simple_models() {
    let cases = [
        ("santa_fe", "EGRU, Kalman", "EGRU, untrained", "linear, 10 lags"),
        ("taxi", "EGRU, Kalman", "EGRU, untrained", "same half-hour last week"),
        ("text", "EGRU, exact RTRL", "EGRU, untrained", "Witten–Bell, order 0"),
    ];
    for (name, trained, drawn, simple) in cases {
        let out = scratch(name);
        let output = run(name, &["--synthetic", "--seeds", "1", "--out", out.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let file = |kind: &str| {
            std::fs::read_dir(&out)
                .unwrap()
                .map(|f| f.unwrap().path())
                .find(|f| f.extension().is_some_and(|e| e == kind))
                .unwrap()
        };
        let mut csv = csv::Reader::from_path(file("csv")).unwrap();
        let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
        let error =
            |model: &str| -> f64 { rows.iter().find(|row| &row[0] == model).unwrap()[3].parse().unwrap() };
        for worse in [drawn, simple] {
            assert!(
                error(trained) < error(worse),
                "{name}: error {}, {worse}: {}",
                error(trained),
                error(worse)
            );
        }
        let markdown = std::fs::read_to_string(file("md")).unwrap();
        assert!(markdown.contains(&format!("cargo study {name} -- --synthetic")));
        assert!(std::fs::read_to_string(file("svg")).unwrap().contains(trained));
    }
}

#[test]
fn programs_with_invalid_input_exit_with_code_2() {
    let out = scratch("wrong");
    let cases: &[(&str, &[&str], &str)] = &[
        ("table1", &["--units", "0"], "at least 1"),
        ("table1", &["--units", "4000"], "at most 512"),
        ("table1", &["--param-sparsity", "1"], "[0, 1)"),
        ("table1", &["--epsilon", "0"], "above 0"),
        ("table1", &["--warm-up", "0"], "warm-up"),
        ("table1", &["--steps", "x"], "steps"),
        ("speed", &["--units", "0"], "units"),
        ("speed", &["--live", "2"], "live"),
        ("speed", &["--cell", "gru"], "expected one of event-rnn, egru"),
        ("speed", &["--dump", "x", "--dump-steps", "5000"], "dump-steps"),
        ("speed", &["--inputs", "99999999999"], "inputs"),
        ("speed", &["--threads", "99999"], "threads"),
        ("speed", &["--rule", "rtrl-blocked-18446744073709551615"], "unknown rule"),
        ("speed", &["--check-choice", "0"], "check-choice"),
        ("compare", &["--seeds", "0"], "seeds"),
        ("santa_fe", &["--data", "nowhere"], "fetch_data.sh"),
        ("taxi", &["--data", "nowhere"], "--synthetic"),
        ("taxi", &["--synthetic", "--seeds", "0"], "seeds"),
        ("text", &["--synthetic", "--bytes", "10"], "at least 1000 bytes"),
        ("text", &["--file", "nowhere"], "nowhere"),
        ("compare", &["--iterations", "0"], "iterations"),
        ("compare", &["--length", "0"], "length"),
        ("compare", &["--delay", "100000"], "delay"),
    ];
    for (name, flags, expected) in cases {
        let to = ["--out", out.to_str().unwrap()];
        let to = if *name == "speed" { &[] } else { &to[..] };
        let output = run(name, &[flags, to].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name} {flags:?}: {message}");
        assert!(message.contains(expected), "{name} {flags:?}: {message}");
    }
}
