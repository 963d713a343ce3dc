//! Locks: one process at a time uses a checkpoint or an output, under any of its names, and a lock
//! ends with its process.

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

/// A part of the error message of a refused process.
const IN_USE: &str = "in use by another process";

/// Starts a process that waits for rows.
fn start(folder: &Path, arguments: &str) -> (Child, ChildStdin) {
    let mut command = program(folder, arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

/// Waits until a condition holds, at most 20 s.
fn wait_until(condition: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "expected within 20 s: {condition}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The output of a process that ends although its input is open and empty.
fn run_to_end(folder: &Path, arguments: &str) -> Output {
    let (mut child, stdin) = start(folder, arguments);
    wait_until(arguments, || child.try_wait().unwrap().is_some());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Starts a process, waits until it has written the lines of 20 rows, and keeps its input open.
fn start_holder(folder: &Path, arguments: &str) -> (Child, ChildStdin) {
    let (child, mut stdin) = start(folder, arguments);
    stdin.write_all(csv(20).as_bytes()).unwrap();
    let lines = || fs::read_to_string(folder.join("out.csv")).unwrap_or_default().lines().count();
    wait_until("20 lines", || lines() == 21);
    (child, stdin)
}

/// Every file in a folder and its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn arguments(checkpoint: &str, output: &str) -> String {
    format!("stream --target load {NET} --checkpoint {checkpoint} -o {output} --checkpoint-every 7")
}

#[test]
fn second_process_on_files_in_use_is_refused_and_changes_nothing() {
    let folder = folder("beside");
    let whole = {
        ok(&run(&folder, &arguments("whole", "whole.csv"), csv(60).as_bytes()));
        files(&folder)
    };
    fs::write(folder.join("t.toml"), "iterations = 1\nunits = 2").unwrap();
    let (mut child, mut stdin) = start_holder(&folder, &arguments("c", "out.csv"));
    for (link, file) in [("c.link", "c"), ("out.link", "out.csv")] {
        symlink(file, folder.join(link)).unwrap();
    }
    fs::hard_link(folder.join("out.csv"), folder.join("out.hard")).unwrap();
    let before = files(&folder);
    let mut seconds = vec!["train t.toml -q --out out.csv".into(), "inspect whole --export c".into()];
    for (checkpoint, output) in [("c", "d.csv"), ("./c", "d.csv"), ("c.link", "d.csv")] {
        seconds.push(arguments(checkpoint, output));
        seconds.push(format!("{} --resume", arguments(checkpoint, output)));
    }
    for output in ["out.csv", "./out.csv", "out.link", "out.hard"] {
        seconds.push(arguments("d", output));
        seconds.push(format!("stream --target load -o {output} --allow-unlocked"));
    }
    for second in seconds {
        let output = run_to_end(&folder, &second);
        fails(&output, 6, IN_USE);
        let message = text(&output.stderr);
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{second}: {message}");
        assert!(output.stdout.is_empty() && files(&folder) == before, "{second}");
    }
    assert!(
        ok(&run(&folder, "inspect c", b"")).contains("14 learned"),
        "expected inspect to read a locked checkpoint"
    );
    assert!(files(&folder) == before);
    // A process stopped by SIGSTOP still holds its locks.
    let pid = child.id().to_string();
    let signal = |name| assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    signal("STOP");
    fails(&run_to_end(&folder, &arguments("c", "d.csv")), 6, IN_USE);
    signal("CONT");
    stdin.write_all(rows(20..60).as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let after = files(&folder);
    assert!(after["c"] == whole["whole"] && after["out.csv"] == whole["whole.csv"]);
    assert!(after.keys().all(|name| !name.ends_with(".lock")), "{:?}", after.keys());
}

#[test]
fn two_processes_started_together_leave_one_running_and_one_refused() {
    let folder = folder("at-once");
    for (k, [first, second]) in [["c", "c"], ["d", "e"]].iter().cycle().take(10).enumerate() {
        let output = format!("{k}.csv");
        let other = if first == second { "other.csv" } else { &output };
        let both = [arguments(&format!("{first}{k}"), &output), arguments(&format!("{second}{k}"), other)];
        let mut both = both.map(|arguments| start(&folder, &arguments));
        let mut at = 0;
        wait_until("one process is refused", || {
            at = 1 - at;
            both[at].0.try_wait().unwrap().is_some()
        });
        let [one, two] = both;
        let ((refused, _stdin), (mut child, mut stdin)) = if at == 0 { (one, two) } else { (two, one) };
        fails(&refused.wait_with_output().unwrap(), 6, IN_USE);
        assert!(child.try_wait().unwrap().is_none(), "expected the other process to continue");
        stdin.write_all(csv(9).as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn lock_of_killed_process_is_taken_by_next_process() {
    let folder = folder("killed");
    fs::write(folder.join("in.csv"), csv(60)).unwrap();
    ok(&run(&folder, &arguments("whole", "whole.csv"), csv(60).as_bytes()));
    let (mut child, _stdin) = start_holder(&folder, &arguments("c", "out.csv"));
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
fn checkpoint_given_as_link_is_written_to_its_target() {
    let folder = folder("linked");
    fs::create_dir(folder.join("disk")).unwrap();
    symlink("disk/c", folder.join("c")).unwrap();
    fs::write(folder.join("in.csv"), csv(30)).unwrap();
    ok(&run(&folder, &arguments("c", "out.csv"), csv(20).as_bytes()));
    assert!(folder.join("c").is_symlink() && folder.join("disk/c").is_file());
    ok(&run(&folder, "stream in.csv --resume --checkpoint disk/c -o out.csv", b""));
    assert!(ok(&run(&folder, "inspect c", b"")).contains("30 learned"));
    ok(&run(&folder, "inspect disk/c --export w", b""));
    symlink("w", folder.join("link")).unwrap();
    ok(&run(&folder, "inspect disk/c --export link", b""));
    assert!(folder.join("link").is_symlink());
}

#[test]
fn lock_after_other_refusal_is_removed_and_devices_have_none() {
    let folder = folder("no-locks");
    let flags = format!("stream --target load {NET}");
    ok(&run(&folder, &format!("{flags} --checkpoint c -o out.csv"), csv(20).as_bytes()));
    let before = files(&folder);
    fails(&run(&folder, &format!("{flags} --checkpoint c -o d.csv"), csv(20).as_bytes()), 2, "exists");
    fails(&run(&folder, &format!("{flags} --checkpoint d -o d.csv"), b""), 1, "the input is empty");
    for (checkpoint, output) in [("c", "c.lock"), ("c", "c.new"), ("out.csv.lock", "out.csv"), ("c", "./c")] {
        let arguments = format!("{flags} --checkpoint {checkpoint} -o {output}");
        fails(&run(&folder, &arguments, csv(20).as_bytes()), 2, "a file for each purpose");
    }
    for export in ["c.lock", "c.new"] {
        fails(&run(&folder, &format!("inspect {export} --export c"), b""), 2, "a file for each purpose");
    }
    assert_eq!(files(&folder), before);
    // With a pipe as standard output, /dev/stdout links to a path that does not exist.
    let lines = ok(&run(&folder, &format!("{flags} -o /dev/stdout --allow-unlocked"), csv(20).as_bytes()));
    assert_eq!(lines.into_bytes(), before["out.csv"]);
    let (mut first, stdin) = start(&folder, &format!("{flags} -o /dev/null"));
    ok(&run(&folder, &format!("{flags} -o /dev/null"), csv(20).as_bytes()));
    drop(stdin);
    first.wait().unwrap();
    assert_eq!(files(&folder), before);
}
