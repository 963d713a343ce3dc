//! `sparse-rtrl stream` as a user meets it: what it writes, what it saves, and what every bad day leads to.
#![cfg(all(unix, feature = "cli"))]

#[path = "common/program.rs"]
mod programs;

use programs::{folder, program, run, text};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

const NET: &str = "--units 6 --param-sparsity 0.5 --window 50";

/// `hour,load` with a load that follows the hour.
fn rows(range: std::ops::Range<usize>) -> String {
    range.map(|t| format!("{},{:.3}\n", t % 24, 50.0 + 10.0 * (t as f64 * 0.26).sin())).collect()
}

fn csv(n: usize) -> String {
    format!("hour,load\n{}", rows(0..n))
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn fails(output: &Output, code: i32, said: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(said), "expected '{said}' in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name}"));
    reader.records().map(|row| row.unwrap()[at].to_string()).collect()
}

fn numbers(csv: &str, name: &str) -> Vec<Option<f64>> {
    column(csv, name).iter().map(|field| field.parse().ok()).collect()
}

#[test]
fn it_learns_from_a_pipe_and_says_what_it_predicts() {
    let folder = folder("pipe");
    let words = format!("stream --target load --horizon 2 --cyclic hour:24 --cell gru {NET}");
    let output = run(&folder, &words, csv(2000).as_bytes());
    let lines = ok(&output);
    let (predicted, next) = (numbers(&lines, "predicted"), numbers(&lines, "next"));
    assert_eq!(predicted.len(), 2000);
    assert_eq!(&predicted[..3], &[None, None, next[0]], "the forecast of row 1 is of row 3");
    assert_eq!(predicted[2..], next[..1998]);
    let nrmse = numbers(&lines, "window_nrmse").pop().unwrap().unwrap();
    assert!(nrmse < 0.5, "half as wrong as the mean: {nrmse}");
    assert!(text(&output.stderr).contains("2000 rows, 1998 learned, 0 skipped; mae"));
    // The metric is what its name says.
    let target = numbers(&lines, "target");
    let errors: Vec<f64> =
        target.iter().zip(&predicted).filter_map(|(y, p)| Some((y.as_ref()? - p.as_ref()?).abs())).collect();
    let mae = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((numbers(&lines, "mae").pop().unwrap().unwrap() - mae).abs() < 1e-9);
}

#[test]
fn the_same_rows_in_another_form_give_the_same_predictions() {
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
    let bare = format!("stream - {flags} --columns hour,load");
    assert_eq!(ok(&run(&folder, &bare, rows(0..200).as_bytes())), plain);
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
fn nothing_of_the_future_moves_a_line() {
    let folder = folder("causal");
    for horizon in [0, 3] {
        let flags = format!("stream --target load --horizon {horizon} {NET} --quiet");
        let calm = ok(&run(&folder, &flags, csv(100).as_bytes()));
        let wild = format!("{}{}", csv(60), rows(0..40).replace(",5", ",7"));
        let wild = ok(&run(&folder, &flags, wild.as_bytes()));
        let until = |text: &str| text.lines().take(61).map(String::from).collect::<Vec<_>>();
        assert_eq!(until(&calm), until(&wild));
        assert_ne!(calm, wild);
    }
}

#[test]
fn classes_are_told_by_name() {
    let folder = folder("classes");
    let rows: String = (0..600).map(|t| format!("{},{}\n", t % 3, ["a", "b", "c"][(t + 1) % 3])).collect();
    let words = format!("stream --target next --task classes --classes 3 --one-hot x:3 {NET}");
    let lines = ok(&run(&folder, &words, format!("x,next\n{rows}").as_bytes()));
    assert!(numbers(&lines, "window_accuracy").pop().unwrap().unwrap() > 0.95);
    assert_eq!(column(&lines, "predicted").pop().unwrap(), "a");
    assert!(numbers(&lines, "probability").pop().unwrap().unwrap() > 0.5);
    let binary: String = (0..400).map(|t| format!("{},{}\n", t % 2, ["no", "yes"][t % 2])).collect();
    let words = format!("stream --target y --task binary --classes no,yes {NET}");
    let lines = ok(&run(&folder, &words, format!("x,y\n{binary}").as_bytes()));
    assert_eq!(numbers(&lines, "window_accuracy").pop().unwrap(), Some(1.0));
    let one_ahead =
        format!("stream --target y --task binary --classes no,yes --horizon 1 --features y {NET}");
    let lines = ok(&run(&folder, &one_ahead, format!("x,y\n{binary}").as_bytes()));
    assert!(numbers(&lines, "window_accuracy").pop().unwrap().unwrap() > 0.95);
}

#[test]
fn many_streams_share_what_they_learn_and_nothing_else() {
    let folder = folder("groups");
    let value = |who: usize, t: usize| format!("{}\n", ((t + 7 * who) as f64 * 0.3).sin());
    let both: String =
        (0..200).flat_map(|t| [format!("a,{}", value(0, t)), format!("b,{}", value(1, t))]).collect();
    let words = format!("stream --target y --horizon 1 --group who --streams 2 {NET}");
    let lines = ok(&run(&folder, &words, format!("who,y\n{both}").as_bytes()));
    assert_eq!(column(&lines, "stream")[..2], ["a", "b"]);
    let next = numbers(&lines, "next");
    assert_eq!(numbers(&lines, "predicted")[2..], next[..398], "a forecast is of its own stream's next row");
    let late = ok(&run(&folder, &words, b"who,y\na,1\nb,\na,2\nb,3\n"));
    assert_eq!(column(&late, "stream"), ["a", "b", "a", "b"], "also where nothing is known yet");
    let output = run(&folder, &words, format!("who,y\n{both}c,1\n").as_bytes());
    fails(&output, 3, "row 401 (line 402): column 'who': expected one of 2 streams (--streams), got 'c'");
}

#[test]
fn a_missing_target_is_predicted_and_passed_by() {
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
        let words = format!("stream --target load --horizon {horizon} {NET}");
        let output = run(&folder, &words, format!("hour,load\n{gaps}").as_bytes());
        let lines = ok(&output);
        assert_eq!(column(&lines, "row").len(), 100);
        assert_eq!(column(&lines, "target")[1], "");
        assert!(horizon == 1 || numbers(&lines, "predicted")[1].is_some());
        assert!(horizon == 0 || numbers(&lines, "next")[1].is_some());
        assert!(text(&output.stderr).contains(&format!("{} learned, 0 skipped", 67 - horizon)));
    }
}

/// What each bad row is told, and where.
const BAD: [(&str, &str); 11] = [
    ("1", "expected 2 fields, got 1 in '1'"),
    ("1,2,3", "expected 2 fields, got 3 in '1,2,3'"),
    (",50", "column 'hour': expected a number, got an empty field"),
    ("x,50", "column 'hour': expected a number, got 'x'"),
    ("1,NaN", "column 'load': expected a finite number of at most 1e15, got 'NaN'"),
    ("inf,50", "column 'hour': expected a finite number of at most 1e15, got 'inf'"),
    ("1,1e300", "column 'load': expected a finite number of at most 1e15, got '1e300'"),
    ("1,-9999999", "column 'load': expected a value within 1000 standard deviations"),
    ("\"1,50", "expected a closing quote, got none in"),
    ("1,\"50", "expected a closing quote, got none in"),
    ("1,50\r2,51", "expected lines that end with"),
];

#[test]
fn a_bad_row_is_passed_over_or_stops_the_stream_with_everything_saved() {
    let folder = folder("bad-rows");
    let flags = format!("--target load --horizon 1 {NET}");
    let clean = ok(&run(&folder, &format!("stream {flags} --quiet"), csv(240).as_bytes()));
    for (k, (bad, said)) in BAD.iter().enumerate() {
        let (ckpt, out) = (format!("{k}.ckpt"), format!("{k}.csv"));
        let saved = format!("--checkpoint {ckpt} -o {out}");
        fs::write(folder.join("in.csv"), format!("{}{bad}\n{}", csv(150), rows(150..240))).unwrap();
        let stopped = run(&folder, &format!("stream in.csv {flags} {saved}"), b"");
        fails(&stopped, 3, &format!("row 151 (line 152): {said}"));
        let skipped = run(&folder, &format!("stream in.csv {flags} --on-bad-row skip"), b"");
        let lines = ok(&skipped);
        assert_eq!(column(&lines, "row")[149..151], ["150", "152"]);
        assert_eq!(column(&lines, "next"), column(&clean, "next"), "as if the row had not been there");
        assert!(text(&skipped.stderr).contains(&format!("skipped row 151 (line 152): {said}")));
        assert!(text(&skipped.stderr).contains("241 rows, 239 learned, 1 skipped"));
        // Mended, it goes on where it stopped.
        fs::write(folder.join("in.csv"), csv(240)).unwrap();
        ok(&run(&folder, &format!("stream in.csv --resume {saved}"), b""));
        assert_eq!(fs::read_to_string(folder.join(&out)).unwrap(), clean, "{bad}");
    }
    let many: String = "x\n".repeat(20);
    let output =
        run(&folder, &format!("stream {flags} --on-bad-row skip"), format!("{}{many}", csv(9)).as_bytes());
    ok(&output);
    let said = text(&output.stderr);
    assert_eq!(said.matches("skipped row").count(), 5);
    assert!(said.contains("only counted") && said.contains("29 rows, 8 learned, 20 skipped"), "{said}");
}

#[test]
fn an_empty_stream_and_a_header_alone() {
    let folder = folder("empty");
    let words = format!("stream --target load {NET}");
    fails(&run(&folder, &words, b""), 1, "the input is empty: expected a line of column names");
    let named = format!("{words} --columns hour,load");
    fails(&run(&folder, &named, b"\n"), 1, "the input is empty: expected a row");
    let lines = ok(&run(&folder, &format!("{words} --checkpoint c"), b"hour,load\n"));
    assert_eq!(lines.lines().count(), 1);
    let output = run(&folder, "stream --resume --checkpoint c", b"");
    ok(&output);
    assert!(text(&output.stderr).contains("0 rows, 0 learned"));
    assert_eq!(ok(&run(&folder, "stream --resume --checkpoint c", csv(3).as_bytes())).lines().count(), 3);
}

#[test]
fn wrong_usage_is_said_in_a_line_before_anything_is_written() {
    let folder = folder("usage");
    fs::write(folder.join("in.csv"), csv(5)).unwrap();
    fs::write(folder.join("cr.csv"), csv(5).replace('\n', "\r")).unwrap();
    for (words, said) in [
        ("stream in.csv", "--target: expected the column to predict"),
        ("stream in.csv --target x", "target: expected one of the columns hour, load, got x"),
        ("stream in.csv --target load --features hour,x", "features: expected one of the columns"),
        ("stream in.csv --target load --cell x", "unknown cell 'x'"),
        ("stream in.csv --target load --rule bptt", "memory does not grow"),
        ("stream in.csv --target load --teacher x", "unknown optimiser 'x'"),
        ("stream in.csv --target load --metrics x", "metrics"),
        (
            "stream in.csv --target load --metrics accuracy",
            "metrics: expected some of mae, rmse, nrmse, mape",
        ),
        ("stream in.csv --target load --units 0", "units"),
        ("stream in.csv --target load --param-sparsity 1", "[0, 1)"),
        ("stream in.csv --target load --task classes", "classes: expected their number"),
        ("stream in.csv --target load --task x", "invalid value 'x'"),
        ("stream in.csv --target load --units 100000", "choose fewer units"),
        ("stream in.csv --target load --every 0", "every: expected 1"),
        ("stream in.csv --target load --resume", "--checkpoint"),
        ("stream in.csv --target load -o in.csv", "a file for each purpose"),
        ("stream in.csv --target load --checkpoint ./out.csv", "a file for each purpose"),
        ("stream in.csv --target load --checkpoint c --checkpoint-every 0", "checkpoint-every"),
        ("stream in.csv --target load --delimiter xy", "one character"),
        ("stream in.csv --target load --columns hour,hour,load", "columns: expected a name of its own"),
        ("stream cr.csv --target load", "header: expected lines that end with"),
        ("stream in.csv --target load --columns hour,load --input-format jsonl", "columns"),
        ("steam", "unrecognized subcommand"),
    ] {
        let output =
            run(&folder, &format!("{words} -o out.csv").replace("-o in.csv -o out.csv", "-o in.csv"), b"");
        let words = if words == "steam" { "steam" } else { words };
        if words == "steam" {
            assert_eq!(output.status.code(), Some(2));
        } else {
            fails(&output, 2, said);
        }
        assert!(!folder.join("out.csv").exists(), "{words}");
    }
    // The output is not emptied for what cannot be saved.
    fs::write(folder.join("kept.csv"), "kept").unwrap();
    let into_no_folder = "stream in.csv --target load --checkpoint in.csv/c -o kept.csv";
    fails(&run(&folder, into_no_folder, b""), 1, "in.csv/c");
    assert_eq!(fs::read_to_string(folder.join("kept.csv")).unwrap(), "kept");
    fails(&run(&folder, "stream none.csv --target load", b""), 1, "cannot read none.csv");
    fails(&run(&folder, "stream . --target load", b""), 1, "it is a folder");
}

#[test]
fn a_full_disk_ends_it_and_keeps_what_was_learned() {
    let folder = folder("full");
    if !Path::new("/dev/full").exists() {
        return;
    }
    let words = format!("stream --target load {NET} --checkpoint c -o /dev/full");
    fails(&run(&folder, &words, csv(50).as_bytes()), 1, "cannot write /dev/full: No space left on device");
    assert!(folder.join("c").exists());
    let to_full = format!("stream --target load {NET} --checkpoint /dev/full");
    fails(&run(&folder, &to_full, csv(50).as_bytes()), 2, "exists");
}

#[test]
fn lines_that_find_no_room_wait_in_the_checkpoint() {
    let folder = folder("no-room");
    fs::write(folder.join("in.csv"), csv(2000)).unwrap();
    let flags = "--checkpoint c --checkpoint-every 20 -o out.csv";
    let program = env!("CARGO_BIN_EXE_sparse-rtrl");
    // No file may grow beyond some 30 kB; the checkpoint stays below.
    let limited =
        format!("trap '' XFSZ; ulimit -f 64; exec {program} stream in.csv --target load {NET} {flags}");
    let output =
        std::process::Command::new("sh").args(["-c", &limited]).current_dir(&folder).output().unwrap();
    fails(&output, 1, "cannot write out.csv: File too large");
    assert!(fs::read_to_string(folder.join("out.csv")).unwrap().ends_with('\n'), "no half a line");
    ok(&run(&folder, &format!("stream in.csv --resume {flags}"), b""));
    let whole = ok(&run(&folder, &format!("stream in.csv --target load {NET}"), b""));
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), whole);
}

#[test]
fn a_resume_cuts_the_output_it_wrote_and_no_other_file() {
    let folder = folder("outputs");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    fs::write(folder.join("in.csv"), csv(50)).unwrap();
    ok(&run(&folder, &format!("stream in.csv --target load {NET} --checkpoint c -o o.csv"), b""));
    let (first, checkpoint) = (read("o.csv"), fs::read(folder.join("c")).unwrap());
    fs::write(folder.join("in.csv"), csv(80)).unwrap();
    let resume = "stream in.csv --resume --checkpoint c";
    // Forgotten, it would be lost later on; a file that is not it is not cut; a file that is gone is not made anew.
    fails(
        &run(&folder, resume, b""),
        2,
        "output: expected the file that the checkpoint's lines went to, or -",
    );
    let precious = "precious\n".repeat(1000);
    fs::write(folder.join("precious.txt"), &precious).unwrap();
    fails(&run(&folder, &format!("{resume} -o precious.txt"), b""), 4, "nothing was touched");
    assert_eq!(read("precious.txt"), precious);
    fails(&run(&folder, &format!("{resume} -o none.csv"), b""), 4, "found no such file");
    assert!(!folder.join("none.csv").exists());
    assert!(fs::read(folder.join("c")).unwrap() == checkpoint, "a refusal leaves the checkpoint as it was");
    // Said explicitly, lines go to standard output, and from then on into no file that holds something.
    assert_eq!(ok(&run(&folder, &format!("{resume} -o -"), b"")).lines().count(), 30);
    fails(&run(&folder, &format!("{resume} -o o.csv"), b""), 2, "the checkpoint's lines went elsewhere");
    assert_eq!(read("o.csv"), first);
    // At a checkpoint before the first row there is only the line of names to know a file by.
    ok(&run(&folder, &format!("stream --target load {NET} --checkpoint d -o names.csv"), b"hour,load\n"));
    let resume = "stream --resume --checkpoint d";
    fails(&run(&folder, &format!("{resume} -o precious.txt"), csv(9).as_bytes()), 4, "nothing was touched");
    ok(&run(&folder, &format!("{resume} -o names.csv"), csv(9).as_bytes()));
    assert_eq!(read("names.csv").lines().count(), 10);
    // With lines of JSON there is not even that, but they begin alike.
    let json = format!("stream --target load {NET} --format jsonl --checkpoint e -o lines.jsonl");
    ok(&run(&folder, &json, b"hour,load\n"));
    let resume = "stream --resume --checkpoint e";
    fails(&run(&folder, &format!("{resume} -o precious.txt"), csv(9).as_bytes()), 4, "nothing was touched");
    assert_eq!(read("precious.txt"), precious);
    fs::write(folder.join("lines.jsonl"), "{\"row\":1,\"targ").unwrap();
    ok(&run(&folder, &format!("{resume} -o lines.jsonl"), csv(9).as_bytes()));
    assert_eq!(read("lines.jsonl").lines().count(), 9);
}

#[test]
fn a_row_that_is_half_written_waits_for_its_other_half() {
    let folder = folder("half");
    let flags = "--checkpoint c -o out.csv";
    fs::write(folder.join("in.csv"), csv(50)).unwrap();
    let whole = ok(&run(&folder, &format!("stream in.csv --target load {NET}"), b""));
    let half = csv(50).trim_end()[..csv(50).len() - 4].to_string();
    fs::write(folder.join("in.csv"), &half).unwrap();
    let output = run(&folder, &format!("stream in.csv --target load {NET} {flags}"), b"");
    ok(&output);
    assert!(text(&output.stderr).contains("the last row (line 51) has no line end"));
    assert!(text(&output.stderr).contains("49 rows, 49 learned"));
    fs::write(folder.join("in.csv"), csv(50)).unwrap();
    ok(&run(&folder, &format!("stream in.csv --resume {flags}"), b""));
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), whole);
    // With nothing to save there is no later run.
    assert_eq!(
        ok(&run(&folder, &format!("stream --target load {NET}"), half.as_bytes())).lines().count(),
        51
    );
    let output = run(&folder, &format!("stream --target load {NET} --checkpoint d"), b"hour,lo");
    fails(&output, 1, "the first line has no line end");
    assert!(!folder.join("d").exists());
}

fn spawn(folder: &Path, words: &str) -> Child {
    let mut command = program(folder, words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn read_lines(child: &mut Child, n: usize) -> BufReader<std::process::ChildStdout> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    (0..n).for_each(|_| assert!(reader.read_line(&mut String::new()).unwrap() > 0));
    reader
}

#[test]
fn a_line_is_there_as_soon_as_its_row() {
    let folder = folder("prompt");
    let mut child = spawn(&folder, &format!("stream --target load {NET}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(csv(3).as_bytes()).unwrap();
    let mut reader = read_lines(&mut child, 4);
    stdin.write_all(b"3,51\n").unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("4,51.0,"), "{line}");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_is_heard_while_it_waits_and_half_a_row_is_not_learned() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder(&format!("signal-{signal}"));
        let flags = "--checkpoint c -o out.csv";
        let mut child = spawn(&folder, &format!("stream --target load {NET} {flags}"));
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{}20,5", csv(20)).as_bytes()).unwrap();
        stdin.flush().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while fs::read_to_string(folder.join("out.csv")).unwrap_or_default().lines().count() < 21 {
            assert!(Instant::now() < until, "20 lines");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(code));
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("20 rows, 20 learned, 0 skipped"), "{said}");
        drop(stdin);
        // New rows from standard input, with the names once more; then from a file that has everything.
        let more = format!("hour,load\n{}", rows(20..40));
        ok(&run(&folder, &format!("stream --resume {flags}"), more.as_bytes()));
        fs::write(folder.join("in.csv"), csv(60)).unwrap();
        ok(&run(&folder, &format!("stream in.csv --resume {flags}"), b""));
        let whole = ok(&run(&folder, &format!("stream in.csv --target load {NET}"), b""));
        assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), whole);
    }
}

#[test]
fn a_signal_is_heard_before_the_first_line() {
    let folder = folder("signal-first");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = spawn(&folder, &format!("stream --target load {NET} --checkpoint c"));
        let _stdin = child.stdin.take().unwrap();
        // Until it listens, a signal ends it as it ends any program, with no code at all.
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(!folder.join("c").exists());
    }
}

#[test]
fn a_closed_output_ends_it_quietly_with_everything_saved() {
    let folder = folder("closed");
    fs::write(folder.join("in.csv"), csv(20_000)).unwrap();
    let mut child = spawn(&folder, &format!("stream in.csv --target load {NET} --checkpoint c"));
    drop(read_lines(&mut child, 10));
    assert!(child.wait().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("error"), "{said}");
    let description = ok(&run(&folder, "inspect c --json", b""));
    let description: serde_json::Value = serde_json::from_str(&description).unwrap();
    assert!((9..20_000).contains(&description["rows"].as_u64().unwrap()));
}

#[test]
fn a_checkpoint_that_cannot_be_used_is_said_to_be_so() {
    let folder = folder("unusable");
    fs::write(folder.join("in.csv"), csv(100)).unwrap();
    let flags = "--checkpoint c -o out.csv";
    ok(&run(&folder, &format!("stream in.csv --target load {NET} {flags}"), b""));
    let (whole, out) = (fs::read(folder.join("c")).unwrap(), fs::read(folder.join("out.csv")).unwrap());
    let resume = || run(&folder, &format!("stream in.csv --resume {flags}"), b"");
    let with = |change: &dyn Fn(&mut Vec<u8>), said: &str| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(folder.join("c"), bytes).unwrap();
        fails(&resume(), 4, said);
        fails(&run(&folder, "inspect c", b""), 4, said);
        assert_eq!(fs::read(folder.join("out.csv")).unwrap(), out, "nothing was touched");
    };
    with(&|bytes| bytes.truncate(bytes.len() - 7), "truncated");
    with(&|bytes| bytes.truncate(3), "fewer than its header has");
    with(&|bytes| bytes.clear(), "an empty file");
    with(&|bytes| bytes[1000] ^= 1, "the file has been altered");
    with(&|bytes| bytes[16] = 9, "which a newer program wrote");
    with(&|bytes| bytes[0] = b'X', "a file of another kind");
    fs::write(folder.join("c"), &whole).unwrap();
    let said = "exists: go on from it with --resume";
    fails(&run(&folder, &format!("stream in.csv --target load {flags}"), b""), 2, said);
    let other = "units: expected 6, as in the checkpoint, got 7";
    fails(&run(&folder, &format!("stream in.csv --resume {flags} --units 7"), b""), 2, other);
    ok(&run(
        &folder,
        &format!("stream in.csv --resume {flags} --units 6 --horizon 0 --param-sparsity 0.5"),
        b"",
    ));
    // Other rows, other columns, fewer rows.
    for (text, said) in [
        (csv(100).replace("50.0", "50.1"), "expected 100 rows with the checksum"),
        (csv(100).replacen("hour", "time", 1), "expected the columns hour, load, found time, load"),
        (csv(99), "expected at least 100 rows, found 99"),
        (String::new(), "expected at least 100 rows, found 0"),
    ] {
        fs::write(folder.join("in.csv"), text).unwrap();
        fails(&resume(), 4, said);
    }
    fs::write(folder.join("in.csv"), csv(100)).unwrap();
    ok(&run(&folder, &format!("stream - --resume --replay {flags}"), csv(100).as_bytes()));
    assert_eq!(fs::read(folder.join("out.csv")).unwrap(), out);
    fs::write(folder.join("out.csv"), &out[..out.len() - 1]).unwrap();
    fails(&resume(), 4, "out.csv: expected at least the");
    fs::remove_file(folder.join("c")).unwrap();
    fails(
        &run(&folder, &format!("stream in.csv --target load --resume {flags}"), b""),
        2,
        "there is no checkpoint",
    );
    fs::remove_file(folder.join("out.csv")).unwrap();
    ok(&run(&folder, &format!("stream in.csv --target load {NET} --resume {flags}"), b""));
    assert_eq!(fs::read(folder.join("out.csv")).unwrap(), out, "without either it begins");
}

#[test]
fn divergence_stops_resets_or_rolls_back() {
    let folder = folder("diverged");
    let calm: String = (0..300).map(|t| format!("{},{}\n", t % 5, t % 3)).collect();
    let flags = format!(
        "--target y {NET} --readout teacher --teacher sgd --learning-rate 1e9 --decay 0 --checkpoint-every 10"
    );
    let input = format!("x,y\n{calm}");
    let stop = run(&folder, &format!("stream {flags} --checkpoint c"), input.as_bytes());
    fails(&stop, 5, "diverged at row");
    assert!(text(&stop.stderr).contains("the last checkpoint is as it was"));
    ok(&run(&folder, "inspect c", b""));
    // What it is hinted at can be done.
    let mended = "--learning-rate 1e-3 --error-clip 3 --absurd off --decay 1e-4 --clip 1";
    ok(&run(&folder, &format!("stream --resume --replay --checkpoint c {mended}"), input.as_bytes()));
    let description: serde_json::Value =
        serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!(description["settings"]["learning-rate"], 1e-3);
    assert_eq!((&description["learned"], &description["diverged"]), (&300.into(), &0.into()));
    // A mark is of the mode that made it: it leaves the checkpoint with the next run of another.
    let marked = "stream --target load --checkpoint m --checkpoint-every 10 --on-divergence rollback";
    ok(&run(&folder, &format!("{marked} {NET}"), csv(15).as_bytes()));
    let before = fs::metadata(folder.join("m")).unwrap().len();
    ok(&run(&folder, "stream --resume --checkpoint m", b""));
    assert!(fs::metadata(folder.join("m")).unwrap().len() < before);
    for (how, said) in [("reset", "the learner begins anew"), ("rollback", "is what it was after row")] {
        let output = run(&folder, &format!("stream {flags} --on-divergence {how}"), input.as_bytes());
        assert_eq!(ok(&output).lines().count(), 301, "each row has its line: {}", text(&output.stderr));
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains(said) && stderr.contains("diverged") && stderr.contains("300 rows"),
            "{stderr}"
        );
    }
}

#[test]
fn weights_go_out_and_in() {
    let folder = folder("weights");
    fs::write(folder.join("in.csv"), csv(300)).unwrap();
    ok(&run(&folder, &format!("stream in.csv --target load {NET} --checkpoint c -o out.csv"), b""));
    for same in ["c", "./c"] {
        fails(&run(&folder, &format!("inspect c --export {same}"), b""), 2, "a file for each purpose");
    }
    let words = ok(&run(&folder, "inspect c --export w.safetensors", b""));
    for said in ["300 learned", "layer0.wu_y", "hour", "as drawn", "mae"] {
        assert!(words.contains(said), "{said}: {words}");
    }
    ok(&run(
        &folder,
        &format!("stream in.csv --target load {NET} --import w.safetensors --checkpoint d --seed 5"),
        b"",
    ));
    fails(
        &run(&folder, "stream in.csv --target load --units 7 --import w.safetensors", b""),
        4,
        "of shape [7, 1]",
    );
    fails(&run(&folder, "stream in.csv --target load --import none", b""), 1, "cannot read none");
    fails(
        &run(&folder, "stream in.csv --target load --import in.csv -q -o x", b""),
        2,
        "a file for each purpose",
    );
}

#[test]
fn train_and_completions() {
    let folder = folder("train");
    let default = ok(&run(&folder, "train --print-config", b""));
    fs::write(folder.join("c.toml"), default.replace("1700", "3").replace("units = 16", "units = 4"))
        .unwrap();
    let output = run(&folder, "train c.toml --seeds 2 --out curve.csv", b"");
    ok(&output);
    assert!(text(&output.stderr).contains("seed 1: test accuracy"));
    assert_eq!(fs::read_to_string(folder.join("curve.csv")).unwrap().lines().count(), 7);
    fs::write(folder.join("bad.toml"), "unit = 3").unwrap();
    fails(&run(&folder, "train bad.toml", b""), 2, "got 'unit'");
    fails(&run(&folder, "train none.toml", b""), 1, "cannot read none.toml");
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(&run(&folder, &format!("completions {shell}"), b"")).contains("checkpoint-every"));
    }
    let help = ok(&run(&folder, "stream --help", b"")).split_whitespace().collect::<Vec<_>>().join(" ");
    for said in
        ["Σ|error| / Σ|target|", "Rows are those that fit", "no line of output", "may be half written"]
    {
        assert!(help.contains(said), "{said}");
    }
    for command in ["", "stream", "inspect", "train", "completions"] {
        let help = ok(&run(&folder, &format!("{command} --help"), b""));
        assert!(command.is_empty() || help.contains("Example"), "{help}");
        assert!(command == "completions" || help.contains("Exit codes"), "{help}");
    }
}
