//! A resumed stream equals an uninterrupted one in every form of input and output.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use super::rows;
use crate::programs::{folder, run};
use std::fs;

/// Rows before the interruption, and rows in total.
const ROWS: [usize; 2] = [23, 61];

/// Name, flags, and a function from a number of rows to the input.
type Form = (&'static str, &'static str, fn(usize) -> String);

fn forms() -> [Form; 8] {
    fn json(n: usize) -> String {
        let row = |line: &str| line.split_once(',').map(|(h, l)| format!("{{\"hour\":{h},\"load\":{l}}}\n"));
        rows(0..n).lines().filter_map(row).collect()
    }
    // The first row after the interruption belongs to another stream than the first row of all.
    fn grouped(n: usize) -> String {
        let row = |(t, line): (usize, &str)| format!("{},{line}\n", ["b", "a", "c"][(t + t / 3 * t) % 3]);
        format!("who,{}{}", csv(0), rows(0..n).lines().enumerate().map(row).collect::<String>())
    }
    [
        ("groups", "--group who --streams 3 --horizon 1", grouped),
        ("plain", "", csv),
        ("skipped", "--skip-lines 2", |n| csv(n).replacen('\n', "\nh,MW\nint,float\n", 1)),
        ("named", "--columns hour,load", |n| rows(0..n)),
        ("tabs", "--delimiter tab", |n| csv(n).replace(',', "\t")),
        ("json", "--input-format jsonl", json),
        ("json-detected", "--format jsonl", json),
        ("blank", "--every 5 --horizon 2", |n| csv(n).replace('\n', "\r\n\n")),
    ]
}

#[test]
fn stream_resumed_in_any_form_equals_uninterrupted() {
    let folder = folder("resumed-forms");
    for (name, flags, text) in forms() {
        let [part, all] = ROWS.map(text);
        let begin =
            |out: &str| format!("stream --target load {NET} {flags} -q --checkpoint {out}.c -o {out}");
        ok(&run(&folder, &begin("whole"), all.as_bytes()));
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        // From a file, from all rows on standard input, and from new rows with and without a header.
        let rest = all.strip_prefix(&part).unwrap().to_string();
        fs::write(folder.join("in"), &all).unwrap();
        for (how, source, input) in [
            ("file", "in", ""),
            ("replay", "--replay", &all[..]),
            ("rest", "-", &rest),
            ("named", "-", &format!("{}{rest}", text(0))),
        ] {
            ok(&run(&folder, &begin("part"), part.as_bytes()));
            let resume = format!("stream {source} --resume -q --checkpoint part.c -o part");
            let output = run(&folder, &resume, input.as_bytes());
            ok(&output);
            assert!(
                output.stdout.is_empty() && output.stderr.is_empty(),
                "{name}, {how}: expected no output"
            );
            assert!(read("part") == read("whole"), "{name}, {how}");
            assert!(read("part.c") == read("whole.c"), "{name}, {how}");
            for file in ["part", "part.c"] {
                fs::remove_file(folder.join(file)).unwrap();
            }
        }
        for file in ["whole", "whole.c"] {
            fs::remove_file(folder.join(file)).unwrap();
        }
    }
}

#[test]
fn replay_of_other_input_is_refused() {
    let folder = folder("replayed");
    ok(&run(&folder, &format!("stream --target load {NET} --checkpoint c"), csv(20).as_bytes()));
    let replay = "stream --resume --replay --checkpoint c";
    let other = csv(30).replacen("50.000", "50.001", 1);
    fails(&run(&folder, replay, other.as_bytes()), 4, "expected 20 rows with the checksum");
    fails(&run(&folder, replay, csv(19).as_bytes()), 4, "expected at least 20 rows, got 19");
    fails(&run(&folder, replay, b"load,hour\n"), 4, "expected the columns hour, load, got load, hour");
    assert_eq!(ok(&run(&folder, replay, csv(30).as_bytes())).lines().count(), 10);
}
