//! Checkpoints with invalid content, checkpoints that cannot be written, and invalid rows.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use crate::programs::{folder, run};
use std::fs;
use std::path::Path;

/// Bytes of the header of a checkpoint.
const HEADER: usize = 32;

/// Changes the content of a checkpoint and writes it with the matching length and checksum.
fn repack(path: &Path, whole: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let (mut header, mut content) = (whole[..HEADER].to_vec(), whole[HEADER..].to_vec());
    change(&mut content);
    header[20..28].copy_from_slice(&(content.len() as u64).to_le_bytes());
    header[28..].copy_from_slice(&crc32fast::hash(&content).to_le_bytes());
    fs::write(path, [header, content].concat()).unwrap();
}

/// The position of a text that an archive wrote.
fn find(content: &[u8], text: &str) -> usize {
    let written = [&[text.len() as u8], text.as_bytes()].concat();
    content
        .windows(written.len())
        .position(|window| window == written)
        .unwrap_or_else(|| panic!("expected {text}"))
        + 1
}

#[test]
fn checkpoint_with_valid_checksum_and_invalid_content_is_refused() {
    for precision in ["f32", "f64"] {
        let folder = folder(&format!("inside-{precision}"));
        let flags = format!("--precision {precision} --checkpoint c -o out.csv");
        ok(&run(&folder, &format!("stream --target load {NET} {flags}"), csv(50).as_bytes()));
        let (whole, out) = (fs::read(folder.join("c")).unwrap(), fs::read(folder.join("out.csv")).unwrap());
        let unusable = |change: &dyn Fn(&mut Vec<u8>), message: &str, inspected: bool| {
            repack(&folder.join("c"), &whole, change);
            let damaged = fs::read(folder.join("c")).unwrap();
            let resume = "stream --resume --checkpoint c -o out.csv";
            fails(&run(&folder, resume, b""), 4, &format!("c: saved state does not fit: {message}"));
            if inspected {
                fails(&run(&folder, "inspect c", b""), 4, &format!("c: saved state does not fit: {message}"));
            } else {
                ok(&run(&folder, "inspect c", b""));
            }
            assert_eq!(
                fs::read(folder.join("out.csv")).unwrap(),
                out,
                "a refusal must not change the output"
            );
            assert_eq!(fs::read(folder.join("c")).unwrap(), damaged);
        };
        // Each field name of the archive, in order.
        for name in [
            "session",
            "columns",
            "position",
            "counts",
            "target moments",
            "first",
            "marked",
            "mark",
            "output",
        ] {
            let change = |content: &mut Vec<u8>| {
                let at = find(content, name);
                content[at] = b'x';
            };
            unusable(&change, &format!("expected '{name}', got 'x{}'", &name[1..]), name != "output");
        }
        unusable(&|content| content.push(0), "expected 'the end', got trailing bytes: 1", false);
        unusable(&|content| content.clear(), "expected 'session', got the end of the data", true);
        // Settings that are not a JSON object.
        let invalid_settings = |content: &mut Vec<u8>| {
            let at = content.iter().position(|byte| *byte == b'{').unwrap();
            content[at] = b'[';
        };
        unusable(&invalid_settings, "expected 'session', got", true);
        repack(&folder.join("c"), &whole, |_| {});
        ok(&run(&folder, "stream --resume --checkpoint c -o out.csv", b""));
    }
}

#[test]
fn checkpoint_that_cannot_be_written_leaves_output_unchanged() {
    let folder = folder("no-new");
    let arguments = format!("stream --target load {NET} --checkpoint c -o out.csv");
    fs::write(folder.join("in.csv"), csv(30)).unwrap();
    fs::write(folder.join("out.csv"), "kept").unwrap();
    // A folder at the path of the temporary file prevents the checkpoint from being written.
    fs::create_dir(folder.join("c.new")).unwrap();
    fails(&run(&folder, &arguments, csv(20).as_bytes()), 1, "cannot write c: ");
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), "kept");
    fs::remove_dir(folder.join("c.new")).unwrap();
    // A new stream replaces the content of an existing output.
    fs::write(folder.join("out.csv"), "kept\n".repeat(10_000)).unwrap();
    ok(&run(&folder, &arguments, csv(20).as_bytes()));
    let out = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert_eq!(out.lines().count(), 21);
    assert!(!folder.join("c.new").exists());
    // A resume that cannot write its checkpoint neither extends nor truncates the output.
    fs::create_dir(folder.join("c.new")).unwrap();
    fs::write(folder.join("out.csv"), format!("{out}more\n")).unwrap();
    let resume = "stream in.csv --resume --checkpoint c -o out.csv";
    fails(&run(&folder, resume, b""), 1, "cannot write c: ");
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), format!("{out}more\n"));
}

#[test]
fn stream_invalid_row_saves_all_rows_before_it() {
    let folder = folder("stopped-saved");
    let input = csv(30) + "x,50\n";
    let arguments = format!("stream --target load {NET} --checkpoint c");
    fails(&run(&folder, &arguments, input.as_bytes()), 3, "row 31 (line 32)");
    let description: serde_json::Value =
        serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!(
        (&description["rows"], &description["learned"], &description["skipped"]),
        (&30.into(), &30.into(), &0.into())
    );
    let arguments = format!("stream --target load {NET} --resume --checkpoint c --on-bad-row skip");
    ok(&run(&folder, &arguments, b"x,50\n1,50\n"));
    let description: serde_json::Value =
        serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!(
        (&description["rows"], &description["learned"], &description["skipped"]),
        (&32.into(), &31.into(), &1.into())
    );
}
