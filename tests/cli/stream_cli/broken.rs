//! Checkpoints and outputs that are wrong inside, or cannot be replaced.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use crate::programs::{folder, run};
use std::fs;
use std::path::Path;

const HEADER: usize = 32;

/// Writes a checkpoint whose content was changed, with the header that belongs to it.
fn repack(path: &Path, whole: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let (mut header, mut content) = (whole[..HEADER].to_vec(), whole[HEADER..].to_vec());
    change(&mut content);
    header[20..28].copy_from_slice(&(content.len() as u64).to_le_bytes());
    header[28..].copy_from_slice(&crc32fast::hash(&content).to_le_bytes());
    fs::write(path, [header, content].concat()).unwrap();
}

/// Where a name, or a text, that an archive wrote stands.
fn find(content: &[u8], text: &str) -> usize {
    let written = [&[text.len() as u8], text.as_bytes()].concat();
    content.windows(written.len()).position(|at| at == written).unwrap_or_else(|| panic!("no {text}")) + 1
}

#[test]
fn checkpoint_with_a_sound_checksum_and_a_wrong_inside_is_unusable() {
    for precision in ["f32", "f64"] {
        let folder = folder(&format!("inside-{precision}"));
        let flags = format!("--precision {precision} --checkpoint c -o out.csv");
        ok(&run(&folder, &format!("stream --target load {NET} {flags}"), csv(50).as_bytes()));
        let (whole, out) = (fs::read(folder.join("c")).unwrap(), fs::read(folder.join("out.csv")).unwrap());
        let unusable = |change: &dyn Fn(&mut Vec<u8>), said: &str, inspected: bool| {
            repack(&folder.join("c"), &whole, change);
            let damaged = fs::read(folder.join("c")).unwrap();
            let resume = "stream --resume --checkpoint c -o out.csv";
            fails(&run(&folder, resume, b""), 4, &format!("c: saved state does not fit: {said}"));
            if inspected {
                fails(&run(&folder, "inspect c", b""), 4, &format!("c: saved state does not fit: {said}"));
            } else {
                ok(&run(&folder, "inspect c", b""));
            }
            assert_eq!(fs::read(folder.join("out.csv")).unwrap(), out, "nothing was touched");
            assert_eq!(fs::read(folder.join("c")).unwrap(), damaged);
        };
        // A name of a field, in the order of an archive.
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
            unusable(&change, &format!("expected '{name}', found 'x{}'", &name[1..]), name != "output");
        }
        unusable(&|content| content.push(0), "expected 'the end', found 1 bytes more", false);
        unusable(&|content| content.clear(), "expected 'session', found the end of the data", true);
        // Settings that are no settings.
        let no_settings = |content: &mut Vec<u8>| {
            let at = content.iter().position(|byte| *byte == b'{').unwrap();
            content[at] = b'[';
        };
        unusable(&no_settings, "expected 'session', found", true);
        repack(&folder.join("c"), &whole, |_| {});
        ok(&run(&folder, "stream --resume --checkpoint c -o out.csv", b""));
    }
}

#[test]
fn checkpoint_that_cannot_be_written_leaves_the_output_as_it_is() {
    let folder = folder("no-new");
    let words = format!("stream --target load {NET} --checkpoint c -o out.csv");
    fs::write(folder.join("in.csv"), csv(30)).unwrap();
    fs::write(folder.join("out.csv"), "kept").unwrap();
    // What is written first would be a folder.
    fs::create_dir(folder.join("c.new")).unwrap();
    fails(&run(&folder, &words, csv(20).as_bytes()), 1, "cannot write c: ");
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), "kept");
    fs::remove_dir(folder.join("c.new")).unwrap();
    // An output that is there is begun anew.
    fs::write(folder.join("out.csv"), "kept\n".repeat(10_000)).unwrap();
    ok(&run(&folder, &words, csv(20).as_bytes()));
    let out = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert_eq!(out.lines().count(), 21);
    assert!(!folder.join("c.new").exists());
    // Nor is anything added to it, or cut.
    fs::create_dir(folder.join("c.new")).unwrap();
    fs::write(folder.join("out.csv"), format!("{out}more\n")).unwrap();
    let resume = "stream in.csv --resume --checkpoint c -o out.csv";
    fails(&run(&folder, resume, b""), 1, "cannot write c: ");
    assert_eq!(fs::read_to_string(folder.join("out.csv")).unwrap(), format!("{out}more\n"));
}

#[test]
fn row_that_does_not_fit_stops_with_all_rows_before_it_saved() {
    let folder = folder("stopped-saved");
    let input = csv(30) + "x,50\n";
    let words = format!("stream --target load {NET} --checkpoint c");
    fails(&run(&folder, &words, input.as_bytes()), 3, "row 31 (line 32)");
    let said: serde_json::Value = serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!((&said["rows"], &said["learned"], &said["skipped"]), (&30.into(), &30.into(), &0.into()));
    let words = format!("stream --target load {NET} --resume --checkpoint c --on-bad-row skip");
    ok(&run(&folder, &words, b"x,50\n1,50\n"));
    let said: serde_json::Value = serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!((&said["rows"], &said["learned"], &said["skipped"]), (&32.into(), &31.into(), &1.into()));
}
