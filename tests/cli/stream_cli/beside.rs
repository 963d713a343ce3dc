//! Beside another process: a checkpoint and an output are one process's at a time, however it ends, and whatever names they are given.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use super::rows;
use crate::programs::{folder, program, run, text};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SAID: &str = "in use by another process";

/// A process that waits for rows.
fn started(folder: &Path, words: &str) -> (Child, ChildStdin) {
    let mut command = program(folder, words);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a process ends by itself, with its input open and nothing in it.
fn ended(folder: &Path, words: &str) -> Output {
    let (mut child, stdin) = started(folder, words);
    until(words, || child.try_wait().unwrap().is_some());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// One that has written the lines of 20 rows, and waits.
fn holder(folder: &Path, words: &str) -> (Child, ChildStdin) {
    let (child, mut stdin) = started(folder, words);
    stdin.write_all(csv(20).as_bytes()).unwrap();
    let lines = || fs::read_to_string(folder.join("out.csv")).unwrap_or_default().lines().count();
    until("20 lines", || lines() == 21);
    (child, stdin)
}

/// Every file and what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn words(checkpoint: &str, output: &str) -> String {
    format!("stream --target load {NET} --checkpoint {checkpoint} -o {output} --checkpoint-every 7")
}

#[test]
fn second_process_on_files_in_use_is_refused_at_once_and_changes_nothing() {
    let folder = folder("beside");
    let whole = {
        ok(&run(&folder, &words("whole", "whole.csv"), csv(60).as_bytes()));
        files(&folder)
    };
    fs::write(folder.join("t.toml"), "iterations = 1\nunits = 2").unwrap();
    let (mut child, mut stdin) = holder(&folder, &words("c", "out.csv"));
    for (link, file) in [("c.link", "c"), ("out.link", "out.csv")] {
        symlink(file, folder.join(link)).unwrap();
    }
    fs::hard_link(folder.join("out.csv"), folder.join("out.hard")).unwrap();
    let before = files(&folder);
    let mut seconds = vec!["train t.toml -q --out out.csv".into(), "inspect whole --export c".into()];
    for (checkpoint, output) in [("c", "d.csv"), ("./c", "d.csv"), ("c.link", "d.csv")] {
        seconds.push(words(checkpoint, output));
        seconds.push(format!("{} --resume", words(checkpoint, output)));
    }
    for output in ["out.csv", "./out.csv", "out.link", "out.hard"] {
        seconds.push(words("d", output));
        seconds.push(format!("stream --target load -o {output} --allow-unlocked"));
    }
    for second in seconds {
        let output = ended(&folder, &second);
        fails(&output, 6, SAID);
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{second}: {said}");
        assert!(output.stdout.is_empty() && files(&folder) == before, "{second}");
    }
    assert!(ok(&run(&folder, "inspect c", b"")).contains("14 learned"), "it is read without a lock");
    assert!(files(&folder) == before);
    // Stopped is not ended.
    let pid = child.id().to_string();
    let signal = |name| assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    signal("STOP");
    fails(&ended(&folder, &words("c", "d.csv")), 6, SAID);
    signal("CONT");
    stdin.write_all(rows(20..60).as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let after = files(&folder);
    assert!(after["c"] == whole["whole"] && after["out.csv"] == whole["whole.csv"]);
    assert!(after.keys().all(|name| !name.ends_with(".lock")), "{:?}", after.keys());
}

#[test]
fn two_processes_at_the_same_moment_are_one_that_goes_on_and_one_that_is_refused() {
    let folder = folder("at-once");
    for (k, [first, second]) in [["c", "c"], ["d", "e"]].iter().cycle().take(10).enumerate() {
        let output = format!("{k}.csv");
        let other = if first == second { "other.csv" } else { &output };
        let both = [words(&format!("{first}{k}"), &output), words(&format!("{second}{k}"), other)];
        let mut both = both.map(|words| started(&folder, &words));
        let mut at = 0;
        until("one is refused", || {
            at = 1 - at;
            both[at].0.try_wait().unwrap().is_some()
        });
        let [one, two] = both;
        let ((refused, _stdin), (mut child, mut stdin)) = if at == 0 { (one, two) } else { (two, one) };
        fails(&refused.wait_with_output().unwrap(), 6, SAID);
        assert!(child.try_wait().unwrap().is_none(), "the other goes on");
        stdin.write_all(csv(9).as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn killed_process_leaves_its_files_to_the_next() {
    let folder = folder("killed");
    fs::write(folder.join("in.csv"), csv(60)).unwrap();
    ok(&run(&folder, &words("whole", "whole.csv"), csv(60).as_bytes()));
    let (mut child, _stdin) = holder(&folder, &words("c", "out.csv"));
    child.kill().unwrap();
    child.wait().unwrap();
    let left = files(&folder);
    assert!(left["c.lock"].is_empty() && left["out.csv.lock"].is_empty());
    let resume = "stream in.csv --resume --checkpoint c -o out.csv --checkpoint-every 7";
    ok(&run(&folder, resume, b""));
    let after = files(&folder);
    assert!(after["c"] == after["whole"] && after["out.csv"] == after["whole.csv"]);
    assert!(!after.contains_key("c.lock") && !after.contains_key("out.csv.lock"));
}

#[test]
fn link_to_a_checkpoint_is_written_through() {
    let folder = folder("linked");
    fs::create_dir(folder.join("disk")).unwrap();
    symlink("disk/c", folder.join("c")).unwrap();
    fs::write(folder.join("in.csv"), csv(30)).unwrap();
    ok(&run(&folder, &words("c", "out.csv"), csv(20).as_bytes()));
    assert!(folder.join("c").is_symlink() && folder.join("disk/c").is_file());
    ok(&run(&folder, "stream in.csv --resume --checkpoint disk/c -o out.csv", b""));
    assert!(ok(&run(&folder, "inspect c", b"")).contains("30 learned"));
    ok(&run(&folder, "inspect disk/c --export w", b""));
    symlink("w", folder.join("link")).unwrap();
    ok(&run(&folder, "inspect disk/c --export link", b""));
    assert!(folder.join("link").is_symlink());
}

#[test]
fn refusal_of_another_kind_leaves_no_lock_and_devices_need_none() {
    let folder = folder("no-locks");
    let flags = format!("stream --target load {NET}");
    ok(&run(&folder, &format!("{flags} --checkpoint c -o out.csv"), csv(20).as_bytes()));
    let before = files(&folder);
    fails(&run(&folder, &format!("{flags} --checkpoint c -o d.csv"), csv(20).as_bytes()), 2, "exists");
    fails(&run(&folder, &format!("{flags} --checkpoint d -o d.csv"), b""), 1, "the input is empty");
    for (checkpoint, output) in [("c", "c.lock"), ("c", "c.new"), ("out.csv.lock", "out.csv"), ("c", "./c")] {
        let words = format!("{flags} --checkpoint {checkpoint} -o {output}");
        fails(&run(&folder, &words, csv(20).as_bytes()), 2, "a file for each purpose");
    }
    for export in ["c.lock", "c.new"] {
        fails(&run(&folder, &format!("inspect {export} --export c"), b""), 2, "a file for each purpose");
    }
    assert_eq!(files(&folder), before);
    // With a pipe there, /dev/stdout leads to a name that is none.
    let lines = ok(&run(&folder, &format!("{flags} -o /dev/stdout --allow-unlocked"), csv(20).as_bytes()));
    assert_eq!(lines.into_bytes(), before["out.csv"]);
    let (mut first, stdin) = started(&folder, &format!("{flags} -o /dev/null"));
    ok(&run(&folder, &format!("{flags} -o /dev/null"), csv(20).as_bytes()));
    drop(stdin);
    first.wait().unwrap();
    assert_eq!(files(&folder), before);
}
