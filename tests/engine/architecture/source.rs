//! Source files as text: without comments, strings and tests, and the module paths that they mention.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
pub struct Source {
    /// Path relative to the folder of all sources, for messages.
    pub file: String,
    /// `["rule", "rtrl"]` for `rule/rtrl/mod.rs`; `["rule", "bptt"]` for `rule/bptt.rs`.
    pub module: Vec<String>,
    /// Code with comments and literals blanked; line numbers are those of the file.
    pub code: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] }).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    files.sort();
    files
}

/// All files of `src`.
pub fn sources() -> Vec<Source> {
    sources_in(&root().join("src"))
}

/// All files of a folder.
pub fn sources_in(folder: &Path) -> Vec<Source> {
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(folder).unwrap().with_extension("");
        let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().into()).collect();
        if module.last().unwrap() == "mod" {
            module.pop();
        }
        let file = path.strip_prefix(folder).unwrap().display().to_string();
        Source { file, module, code: blank_literals(&fs::read_to_string(&path).unwrap()) }
    };
    rust_files(folder).into_iter().map(read).collect()
}

/// Without files that hold tests only.
pub fn without_tests(sources: Vec<Source>) -> Vec<Source> {
    let is_code = |s: &Source| s.module.iter().all(|part| part != "tests");
    let mut kept: Vec<Source> = sources.into_iter().filter(is_code).collect();
    for source in &mut kept {
        source.code = remove_tests(&source.code);
    }
    kept
}

/// Replaces comments, strings and character literals by spaces, and keeps line breaks.
pub fn blank_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// The end of the comment or literal that begins at `at`; `at` itself if none does.
pub fn literal_end(chars: &[char], at: usize) -> usize {
    let get = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let find = |from: usize, end: &str| {
        let end: Vec<char> = end.chars().collect();
        (from..chars.len()).find(|&i| chars[i..].starts_with(&end)).map_or(chars.len(), |i| i + end.len())
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match (get(at), get(at + 1)) {
        ('/', '/') => (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
        ('/', '*') => find(at + 2, "*/"),
        ('r', '"' | '#') if at == 0 || !is_word(get(at - 1)) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if get(at + 1 + hashes) == '"' {
                find(at + hashes + 2, &format!("\"{}", "#".repeat(hashes)))
            } else {
                at
            }
        }
        ('"', _) => {
            let mut i = at + 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            (i + 1).min(chars.len())
        }
        ('\'', '\\') => find(at + 3, "'"),
        ('\'', _) if get(at + 2) == '\'' => at + 3,
        _ => at,
    }
}

/// Removes every item after `#[cfg(test)]`.
pub fn remove_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut out = parts.next().unwrap().to_string();
    for part in parts {
        out.push_str(&part[item_end(part)..]);
    }
    out
}

/// The end of the item at the beginning of `code`: after its `;`, or after its closing brace.
pub fn item_end(code: &str) -> usize {
    let mut depth = 0;
    for (i, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return i + 1,
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The paths after a prefix such as `crate::`: one, or several in braces.
pub fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(list) = tree.strip_prefix('{') {
        let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' => {
                    paths.extend(expand(&list[start..i]));
                    return paths;
                }
                ',' if depth == 0 => {
                    paths.extend(expand(&list[start..i]));
                    start = i + 1;
                }
                _ => {}
            }
        }
        return paths;
    }
    let end = tree.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    if name.is_empty() {
        return vec![Vec::new()]; // a glob
    }
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => expand(rest)
            .into_iter()
            .map(|path| std::iter::once(name.to_string()).chain(path).collect())
            .collect(),
        _ => vec![vec![name.to_string()]],
    }
}

/// Absolute module paths that `source` mentions.
pub fn mentions(source: &Source) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let is_folder = source.file.ends_with("mod.rs");
    for (at, prefix) in
        ["crate::", "super::", "self::"].iter().flat_map(|prefix| source.code.match_indices(prefix))
    {
        let before = source.code[..at].chars().next_back().unwrap_or(' ');
        if before == ':' || before == '_' || before.is_alphanumeric() {
            continue;
        }
        // The command line is a crate of its own, in `bin/sparse-rtrl`.
        let crate_root = if source.module[0] == "bin" { &source.module[..2] } else { &[] };
        let mut base = if prefix == "crate::" { crate_root.to_vec() } else { source.module.clone() };
        let mut rest = &source.code[at..];
        if let Some(after) = rest.strip_prefix("crate::").or(rest.strip_prefix("self::")) {
            rest = after;
        }
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        found.extend(expand(rest).into_iter().map(|path| base.iter().cloned().chain(path).collect()));
    }
    // `use child::Item` and `child::item()` in the file of a folder.
    if is_folder {
        for declared in source.code.split("mod ").skip(1) {
            let child: String = declared.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let path = format!("{child}::");
            for (at, _) in source.code.match_indices(&path) {
                let before = source.code[..at].chars().next_back().unwrap_or(' ');
                if before != ':' && before != '_' && !before.is_alphanumeric() {
                    let tree = expand(&source.code[at..]);
                    found.extend(tree.into_iter().map(|p| source.module.iter().cloned().chain(p).collect()));
                }
            }
        }
    }
    found
}
