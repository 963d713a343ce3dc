//! Predictions: causality, forms of input, classes, groups, missing targets.

use super::NET;
use super::column;
use super::csv;
use super::fails;
use super::numbers;
use super::ok;
use super::rows;
use crate::programs::{folder, run, text};
use std::fs;

#[test]
fn stream_2000_rows_reach_window_nrmse_below_one_half() {
    let folder = folder("pipe");
    let arguments = format!("stream --target load --horizon 2 --cyclic hour:24 --cell gru {NET}");
    let output = run(&folder, &arguments, csv(2000).as_bytes());
    let lines = ok(&output);
    let (predicted, next) = (numbers(&lines, "predicted"), numbers(&lines, "next"));
    assert_eq!(predicted.len(), 2000);
    assert_eq!(&predicted[..3], &[None, None, next[0]], "expected the forecast made at row 1 in row 3");
    assert_eq!(predicted[2..], next[..1998]);
    let nrmse = numbers(&lines, "window_nrmse").pop().unwrap().unwrap();
    assert!(nrmse < 0.5, "expected an NRMSE below 0.5, got {nrmse}");
    assert!(text(&output.stderr).contains("2000 rows, 1998 learned, 0 skipped; mae"));
    // `mae` is the mean absolute error of the predictions.
    let target = numbers(&lines, "target");
    let errors: Vec<f64> =
        target.iter().zip(&predicted).filter_map(|(y, p)| Some((y.as_ref()? - p.as_ref()?).abs())).collect();
    let mae = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((numbers(&lines, "mae").pop().unwrap().unwrap() - mae).abs() < 1e-9);
}

#[test]
fn stream_same_rows_in_another_form_give_same_predictions() {
    let folder = folder("forms");
    let flags = format!("--target load --horizon 1 --metrics mae,rmse,nrmse,mape {NET} --quiet");
    let plain = ok(&run(&folder, &format!("stream {flags}"), csv(200).as_bytes()));
    let json: String = rows(0..200)
        .lines()
        .map(|line| line.split_once(',').unwrap())
        .map(|(hour, load)| format!("{{\"other\": [1], \"load\": {load}, \"hour\": \"{hour}\"}}\n"))
        .collect();
    let features = "--features hour,load";
    for mark in ["", "\u{feff}"] {
        let json = format!("{mark}{json}");
        assert_eq!(ok(&run(&folder, &format!("stream {flags} {features}"), json.as_bytes())), plain);
    }
    let tabs = csv(200).replace(',', "\t").replace('\n', "\r\n\r\n");
    assert_eq!(ok(&run(&folder, &format!("stream {flags} --delimiter tab"), tabs.as_bytes())), plain);
    let units = csv(200).replacen('\n', "\nh,MW\nint,float\n", 1);
    assert_eq!(ok(&run(&folder, &format!("stream {flags} --skip-lines 2"), units.as_bytes())), plain);
    let without_header = format!("stream - {flags} --columns hour,load");
    assert_eq!(ok(&run(&folder, &without_header, rows(0..200).as_bytes())), plain);
    fs::write(folder.join("in.csv"), csv(200)).unwrap();
    assert_eq!(ok(&run(&folder, &format!("stream in.csv {flags} -o out.csv"), b"")), "");
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), plain);
    let as_json = ok(&run(&folder, &format!("stream in.csv {flags} --format jsonl"), b""));
    let (first, last) = (as_json.lines().next().unwrap(), as_json.lines().last().unwrap());
    assert!(first.starts_with("{\"row\":1,\"target\":50.0,\"predicted\":null,\"next\":"), "{first}");
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["mape"].as_f64(), numbers(&plain, "mape").pop().unwrap());
    let windows = ok(&run(&folder, &format!("stream in.csv {flags} --every 50"), b""));
    assert_eq!(column(&windows, "row"), ["50", "100", "150", "200"]);
    let double = ok(&run(&folder, &format!("stream in.csv {flags} --precision f64"), b""));
    assert_ne!(double, plain);
}

#[test]
fn stream_changed_future_rows_leave_earlier_lines_unchanged() {
    let folder = folder("causal");
    for horizon in [0, 3] {
        let flags = format!("stream --target load --horizon {horizon} {NET} --quiet");
        let unchanged = ok(&run(&folder, &flags, csv(100).as_bytes()));
        let changed = format!("{}{}", csv(60), rows(0..40).replace(",5", ",7"));
        let changed = ok(&run(&folder, &flags, changed.as_bytes()));
        let first_lines = |text: &str| text.lines().take(61).map(String::from).collect::<Vec<_>>();
        assert_eq!(first_lines(&unchanged), first_lines(&changed));
        assert_ne!(unchanged, changed);
    }
}

#[test]
fn stream_class_targets_are_learned_and_predicted_by_name() {
    let folder = folder("classes");
    let rows: String = (0..600).map(|t| format!("{},{}\n", t % 3, ["a", "b", "c"][(t + 1) % 3])).collect();
    let arguments = format!("stream --target next --target-kind classes --classes 3 --one-hot x:3 {NET}");
    let lines = ok(&run(&folder, &arguments, format!("x,next\n{rows}").as_bytes()));
    assert!(numbers(&lines, "window_accuracy").pop().unwrap().unwrap() > 0.95);
    assert_eq!(column(&lines, "predicted").pop().unwrap(), "a");
    assert!(numbers(&lines, "probability").pop().unwrap().unwrap() > 0.5);
    let binary: String = (0..400).map(|t| format!("{},{}\n", t % 2, ["no", "yes"][t % 2])).collect();
    let arguments = format!("stream --target y --target-kind binary --classes no,yes {NET}");
    let lines = ok(&run(&folder, &arguments, format!("x,y\n{binary}").as_bytes()));
    assert_eq!(numbers(&lines, "window_accuracy").pop().unwrap(), Some(1.0));
    let one_ahead =
        format!("stream --target y --target-kind binary --classes no,yes --horizon 1 --features y {NET}");
    let lines = ok(&run(&folder, &one_ahead, format!("x,y\n{binary}").as_bytes()));
    assert!(numbers(&lines, "window_accuracy").pop().unwrap().unwrap() > 0.95);
}

#[test]
fn stream_groups_have_separate_forecasts_and_a_limited_number() {
    let folder = folder("groups");
    let value = |who: usize, t: usize| format!("{}\n", ((t + 7 * who) as f64 * 0.3).sin());
    let both: String =
        (0..200).flat_map(|t| [format!("a,{}", value(0, t)), format!("b,{}", value(1, t))]).collect();
    let arguments = format!("stream --target y --horizon 1 --group who --streams 2 {NET}");
    let lines = ok(&run(&folder, &arguments, format!("who,y\n{both}").as_bytes()));
    assert_eq!(column(&lines, "stream")[..2], ["a", "b"]);
    let next = numbers(&lines, "next");
    assert_eq!(numbers(&lines, "predicted")[2..], next[..398], "expected the forecast of the same stream");
    let late = ok(&run(&folder, &arguments, b"who,y\na,1\nb,\na,2\nb,3\n"));
    assert_eq!(column(&late, "stream"), ["a", "b", "a", "b"], "expected the stream in every row");
    let output = run(&folder, &arguments, format!("who,y\n{both}c,1\n").as_bytes());
    fails(&output, 3, "row 401 (line 402): column 'who': expected one of 2 streams (--streams), got 'c'");
}

#[test]
fn stream_missing_target_is_predicted_and_not_learned() {
    let folder = folder("missing");
    let gaps: String = rows(0..100)
        .lines()
        .enumerate()
        .map(
            |(t, l)| {
                if t % 3 == 1 { format!("{},\n", l.split(',').next().unwrap()) } else { format!("{l}\n") }
            },
        )
        .collect();
    for horizon in [0, 1] {
        let arguments = format!("stream --target load --horizon {horizon} {NET}");
        let output = run(&folder, &arguments, format!("hour,load\n{gaps}").as_bytes());
        let lines = ok(&output);
        assert_eq!(column(&lines, "row").len(), 100);
        assert_eq!(column(&lines, "target")[1], "");
        assert!(horizon == 1 || numbers(&lines, "predicted")[1].is_some());
        assert!(horizon == 0 || numbers(&lines, "next")[1].is_some());
        assert!(text(&output.stderr).contains(&format!("{} learned, 0 skipped", 67 - horizon)));
    }
}

#[test]
fn stream_class_forecast_equals_later_prediction() {
    let folder = folder("class-ahead");
    let rows: String = (0..300).map(|t| format!("{}\n", ["a", "b", "c"][t * t % 7 % 3])).collect();
    for (task, classes) in [("classes", "a,b,c"), ("binary", "a,b")] {
        let rows = if task == "binary" { rows.replace('c', "b") } else { rows.clone() };
        let arguments = format!(
            "stream --columns y --target y --horizon 1 --target-kind {task} --classes {classes} {NET}"
        );
        let lines = ok(&run(&folder, &arguments, rows.as_bytes()));
        for (predicted, next) in [("predicted", "next"), ("probability", "next_probability")] {
            let (predicted, next) = (column(&lines, predicted), column(&lines, next));
            assert_eq!(predicted[0], "");
            assert_eq!(predicted[1..], next[..299], "{task}");
        }
        let probability = numbers(&lines, "next_probability");
        assert!(
            probability.iter().all(|p| (1.0 / 3.0..=1.0).contains(&p.unwrap())),
            "expected the probability of the most probable class"
        );
    }
}
