//! Output and checkpoint files: full disks, resumed outputs, partial rows, unusable checkpoints.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use crate::programs::{folder, run, text};
use std::fs;
use std::path::Path;

#[test]
fn stream_full_disk_exits_with_code_1_and_saves_checkpoint() {
    let folder = folder("full");
    if !Path::new("/dev/full").exists() {
        return;
    }
    let arguments = format!("stream --target load {NET} --checkpoint c -o /dev/full");
    fails(
        &run(&folder, &arguments, csv(50).as_bytes()),
        1,
        "cannot write /dev/full: No space left on device",
    );
    assert!(folder.join("c").exists());
    let to_full = format!("stream --target load {NET} --checkpoint /dev/full");
    fails(&run(&folder, &to_full, csv(50).as_bytes()), 2, "exists");
}

#[test]
fn stream_output_without_space_keeps_pending_lines_in_checkpoint() {
    let folder = folder("no-room");
    fs::write(folder.join("in.csv"), csv(2000)).unwrap();
    let flags = "--checkpoint c --checkpoint-every 20 -o out.csv";
    let program = env!("CARGO_BIN_EXE_sparse-rtrl");
    // No file may exceed 32 KiB; the checkpoint is smaller.
    let limited =
        format!("trap '' XFSZ; ulimit -f 64; exec {program} stream in.csv --target load {NET} {flags}");
    let output =
        std::process::Command::new("sh").args(["-c", &limited]).current_dir(&folder).output().unwrap();
    fails(&output, 1, "cannot write out.csv: File too large");
    assert!(
        fs::read_to_string(folder.join("out.csv")).unwrap().ends_with('\n'),
        "expected complete lines only"
    );
    ok(&run(&folder, &format!("stream in.csv --resume {flags}"), b""));
    let whole = ok(&run(&folder, &format!("stream in.csv --target load {NET}"), b""));
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), whole);
}

#[test]
fn resume_truncates_its_own_output_and_no_other_file() {
    let folder = folder("outputs");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    fs::write(folder.join("in.csv"), csv(50)).unwrap();
    ok(&run(&folder, &format!("stream in.csv --target load {NET} --checkpoint c -o o.csv"), b""));
    let (first, checkpoint) = (read("o.csv"), fs::read(folder.join("c")).unwrap());
    fs::write(folder.join("in.csv"), csv(80)).unwrap();
    let resume = "stream in.csv --resume --checkpoint c";
    // Refused: no output, an output that is another file, and an output that does not exist. No
    // file is truncated or created.
    fails(&run(&folder, resume, b""), 2, "output: expected the output file of the checkpoint, or -");
    let unrelated = "unrelated\n".repeat(1000);
    fs::write(folder.join("unrelated.txt"), &unrelated).unwrap();
    fails(&run(&folder, &format!("{resume} -o unrelated.txt"), b""), 4, "the file was not changed");
    assert_eq!(read("unrelated.txt"), unrelated);
    fails(&run(&folder, &format!("{resume} -o none.csv"), b""), 4, "got no such file");
    assert!(!folder.join("none.csv").exists());
    assert!(
        fs::read(folder.join("c")).unwrap() == checkpoint,
        "a refused resume must not change the checkpoint"
    );
    // `-o -` writes to standard output. From then on an output file that is not empty is refused.
    assert_eq!(ok(&run(&folder, &format!("{resume} -o -"), b"")).lines().count(), 30);
    fails(
        &run(&folder, &format!("{resume} -o o.csv"), b""),
        2,
        "the output of the checkpoint was not a file",
    );
    assert_eq!(read("o.csv"), first);
    // Before the first row, an output is recognised by its header.
    ok(&run(&folder, &format!("stream --target load {NET} --checkpoint d -o names.csv"), b"hour,load\n"));
    let resume = "stream --resume --checkpoint d";
    fails(
        &run(&folder, &format!("{resume} -o unrelated.txt"), csv(9).as_bytes()),
        4,
        "the file was not changed",
    );
    ok(&run(&folder, &format!("{resume} -o names.csv"), csv(9).as_bytes()));
    assert_eq!(read("names.csv").lines().count(), 10);
    // JSON lines have no header: an output is recognised by the start of its first line.
    let json = format!("stream --target load {NET} --format jsonl --checkpoint e -o lines.jsonl");
    ok(&run(&folder, &json, b"hour,load\n"));
    let resume = "stream --resume --checkpoint e";
    fails(
        &run(&folder, &format!("{resume} -o unrelated.txt"), csv(9).as_bytes()),
        4,
        "the file was not changed",
    );
    assert_eq!(read("unrelated.txt"), unrelated);
    fs::write(folder.join("lines.jsonl"), "{\"row\":1,\"targ").unwrap();
    ok(&run(&folder, &format!("{resume} -o lines.jsonl"), csv(9).as_bytes()));
    assert_eq!(read("lines.jsonl").lines().count(), 9);
}

#[test]
fn stream_partial_last_row_is_learned_after_resume() {
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
    // Without a checkpoint a partial last row is read as a row.
    assert_eq!(
        ok(&run(&folder, &format!("stream --target load {NET}"), half.as_bytes())).lines().count(),
        51
    );
    let output = run(&folder, &format!("stream --target load {NET} --checkpoint d"), b"hour,lo");
    fails(&output, 1, "the first line has no line end");
    assert!(!folder.join("d").exists());
}

#[test]
fn resume_unusable_checkpoint_is_refused_and_output_unchanged() {
    let folder = folder("unusable");
    fs::write(folder.join("in.csv"), csv(100)).unwrap();
    let flags = "--checkpoint c -o out.csv";
    ok(&run(&folder, &format!("stream in.csv --target load {NET} {flags}"), b""));
    let (whole, out) = (fs::read(folder.join("c")).unwrap(), fs::read(folder.join("out.csv")).unwrap());
    let resume = || run(&folder, &format!("stream in.csv --resume {flags}"), b"");
    let with = |change: &dyn Fn(&mut Vec<u8>), message: &str| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(folder.join("c"), bytes).unwrap();
        fails(&resume(), 4, message);
        fails(&run(&folder, "inspect c", b""), 4, message);
        assert_eq!(fs::read(folder.join("out.csv")).unwrap(), out, "a refusal must not change the output");
    };
    with(&|bytes| bytes.truncate(bytes.len() - 7), "truncated");
    with(&|bytes| bytes.truncate(3), "fewer than the header");
    with(&|bytes| bytes.clear(), "an empty file");
    with(&|bytes| bytes[1000] ^= 1, "the file is corrupted");
    with(&|bytes| bytes[16] = 9, "format 9 of a newer program");
    with(&|bytes| bytes[16] = 1, "format 1 of an older program");
    with(&|bytes| bytes[0] = b'X', "a file of another kind");
    fs::write(folder.join("c"), &whole).unwrap();
    let message = "exists: expected --resume to continue from it";
    fails(&run(&folder, &format!("stream in.csv --target load {flags}"), b""), 2, message);
    let other = "units: expected 6, as in the checkpoint, got 7";
    fails(&run(&folder, &format!("stream in.csv --resume {flags} --units 7"), b""), 2, other);
    ok(&run(
        &folder,
        &format!("stream in.csv --resume {flags} --units 6 --horizon 0 --param-sparsity 0.5"),
        b"",
    ));
    // Other rows, other columns, fewer rows.
    for (text, message) in [
        (csv(100).replace("50.0", "50.1"), "expected 100 rows with the checksum"),
        (csv(100).replacen("hour", "time", 1), "expected the columns hour, load, got time, load"),
        (csv(99), "expected at least 100 rows, got 99"),
        (String::new(), "expected at least 100 rows, got 0"),
    ] {
        fs::write(folder.join("in.csv"), text).unwrap();
        fails(&resume(), 4, message);
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
    assert_eq!(
        fs::read(folder.join("out.csv")).unwrap(),
        out,
        "expected a new stream where neither file exists"
    );
}

/// The output names the input by the same path, by a symbolic link, or by a hard link.
#[test]
fn stream_output_equal_to_input_is_refused_and_input_unchanged() {
    let folder = folder("same");
    let input = folder.join("in.csv");
    fs::write(&input, csv(50)).unwrap();
    fs::hard_link(&input, folder.join("hard.csv")).unwrap();
    std::os::unix::fs::symlink("in.csv", folder.join("soft.csv")).unwrap();
    for output in ["in.csv", "./in.csv", "hard.csv", "soft.csv"] {
        let arguments = format!("stream in.csv --target load {NET} -o {output}");
        fails(&run(&folder, &arguments, b""), 2, "expected a file for each purpose, got it twice");
        assert_eq!(fs::read_to_string(&input).unwrap(), csv(50), "-o {output}");
    }
    // /dev/shm holds files, not devices.
    let shared = Path::new("/dev/shm").join(format!("sparse-rtrl-{}.csv", std::process::id()));
    if fs::write(&shared, csv(50)).is_ok() {
        let arguments = format!("stream {0} --target load {NET} -o {0}", shared.display());
        let output = run(&folder, &arguments, b"");
        let kept = fs::read_to_string(&shared).unwrap();
        fs::remove_file(&shared).unwrap();
        fails(&output, 2, "got it twice");
        assert_eq!(kept, csv(50));
    }
}
