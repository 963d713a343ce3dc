//! A running stream: output line by line, signals, closed output.

use super::NET;
use super::csv;
use super::ok;
use super::rows;
use crate::programs::{folder, program, run};
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

fn spawn(folder: &Path, arguments: &str) -> Child {
    let mut command = program(folder, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn read_lines(child: &mut Child, n: usize) -> BufReader<std::process::ChildStdout> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    (0..n).for_each(|_| assert!(reader.read_line(&mut String::new()).unwrap() > 0));
    reader
}

#[test]
fn stream_row_received_writes_its_line_at_once() {
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
fn stream_signal_while_waiting_saves_state_and_drops_partial_row() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder(&format!("signal-{signal}"));
        let flags = "--checkpoint c -o out.csv";
        let mut child = spawn(&folder, &format!("stream --target load {NET} {flags}"));
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{}20,5", csv(20)).as_bytes()).unwrap();
        stdin.flush().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::read_to_string(folder.join("out.csv")).unwrap_or_default().lines().count() < 21 {
            assert!(Instant::now() < deadline, "expected 20 lines within 20 s");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(code));
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        assert!(message.contains("20 rows, 20 learned, 0 skipped"), "{message}");
        drop(stdin);
        // Resumed with new rows and a header on standard input, then with a file of all rows.
        let more = format!("hour,load\n{}", rows(20..40));
        ok(&run(&folder, &format!("stream --resume {flags}"), more.as_bytes()));
        fs::write(folder.join("in.csv"), csv(60)).unwrap();
        ok(&run(&folder, &format!("stream in.csv --resume {flags}"), b""));
        let whole = ok(&run(&folder, &format!("stream in.csv --target load {NET}"), b""));
        assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), whole);
    }
}

#[test]
fn stream_signal_before_first_line_exits_without_checkpoint() {
    let folder = folder("signal-first");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = spawn(&folder, &format!("stream --target load {NET} --checkpoint c"));
        let _stdin = child.stdin.take().unwrap();
        // Before its handler is installed, a signal ends the process without an exit code.
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(!folder.join("c").exists());
    }
}

#[test]
fn stream_closed_output_exits_successfully_with_state_saved() {
    let folder = folder("closed");
    fs::write(folder.join("in.csv"), csv(20_000)).unwrap();
    let mut child = spawn(&folder, &format!("stream in.csv --target load {NET} --checkpoint c"));
    drop(read_lines(&mut child, 10));
    assert!(child.wait().unwrap().success());
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert!(!message.contains("error"), "{message}");
    let description = ok(&run(&folder, "inspect c --json", b""));
    let description: serde_json::Value = serde_json::from_str(&description).unwrap();
    assert!((9..20_000).contains(&description["rows"].as_u64().unwrap()));
}

#[test]
fn stream_second_signal_with_blocked_output_exits_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder(&format!("twice-{signal}"));
        fs::write(folder.join("in.csv"), csv(20_000)).unwrap();
        let mut child = spawn(&folder, &format!("stream in.csv --target load {NET} --checkpoint c"));
        // The process blocks on a full pipe, also after the first signal.
        let reader = read_lines(&mut child, 1);
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the process did not end within 20 s");
            let _ =
                std::process::Command::new("kill").args(["-s", signal, &pid]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(child.wait().unwrap().code(), Some(code));
        drop(reader);
        ok(&run(&folder, "inspect c", b""));
    }
}
