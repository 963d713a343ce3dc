//! The structure of `src`: import order, circles of files, names of types, sizes. Functions of
//! examples and studies have the same maximum length.
//!
//! The order of modules is read from the table in ARCHITECTURE.md, so that the page and the test
//! agree. Code is read as text: comments, strings and `#[cfg(test)]` items are removed, and
//! `crate::`, `super::` and `self::` paths are resolved to files. A name that a `mod.rs` re-exports
//! resolves to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MEDIAN_LINES: usize = 160;
const FUNCTION_LINES: usize = 60;

/// A source file.
struct Source {
    /// Path relative to the folder of all sources, for messages.
    file: String,
    /// `["rule", "rtrl"]` for `rule/rtrl/mod.rs`; `["rule", "bptt"]` for `rule/bptt.rs`.
    module: Vec<String>,
    /// Code with comments and literals blanked; line numbers are those of the file.
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] }).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    files.sort();
    files
}

/// All files of `src`.
fn sources() -> Vec<Source> {
    sources_in(&root().join("src"))
}

/// All files of a folder.
fn sources_in(folder: &Path) -> Vec<Source> {
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
fn without_tests(sources: Vec<Source>) -> Vec<Source> {
    let is_code = |s: &Source| s.module.iter().all(|part| part != "tests");
    let mut kept: Vec<Source> = sources.into_iter().filter(is_code).collect();
    for source in &mut kept {
        source.code = remove_tests(&source.code);
    }
    kept
}

/// Replaces comments, strings and character literals by spaces, and keeps line breaks.
fn blank_literals(text: &str) -> String {
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
fn literal_end(chars: &[char], at: usize) -> usize {
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
fn remove_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut out = parts.next().unwrap().to_string();
    for part in parts {
        out.push_str(&part[item_end(part)..]);
    }
    out
}

/// The end of the item at the beginning of `code`: after its `;`, or after its closing brace.
fn item_end(code: &str) -> usize {
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
fn expand(tree: &str) -> Vec<Vec<String>> {
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
fn mentions(source: &Source) -> BTreeSet<Vec<String>> {
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

/// Which files each file imports.
struct Graph {
    sources: Vec<Source>,
    edges: BTreeMap<usize, BTreeSet<usize>>,
}

fn graph() -> Graph {
    let sources = without_tests(sources());
    let files: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(i, s)| (s.module.as_slice(), i)).collect();
    let mentioned: Vec<_> = sources.iter().map(mentions).collect();
    // The names that a `mod.rs` takes from its own children.
    let exported = |file: usize, name: &String| {
        let module = &sources[file].module;
        mentioned[file].iter().find(|path| {
            path.len() > module.len() + 1 && path.starts_with(module) && path.last() == Some(name)
        })
    };
    let resolve = |path: &[String]| {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let length = (1..=path.len()).rev().find(|&n| files.contains_key(&path[..n]))?;
            let file = files[&path[..length]];
            match path.get(length).and_then(|name| exported(file, name)) {
                Some(child) if *child != path => path = child.clone(),
                _ => return Some(file),
            }
        }
        None
    };
    let edges = |i: usize| mentioned[i].iter().filter_map(|path| resolve(path)).filter(|&j| j != i).collect();
    let edges = (0..sources.len()).map(|i| (i, edges(i))).collect();
    Graph { sources, edges }
}

/// The modules of ARCHITECTURE.md, from the lowest to the highest.
fn order() -> Vec<String> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = page.split("\n## Modules").nth(1).expect("ARCHITECTURE.md has a section Modules");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().trim_end_matches('/').to_string()).collect()
}

fn report(what: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{what} ({}):\n  {}", offenders.len(), offenders.join("\n  "));
}

#[test]
fn architecture_page_lists_every_module() {
    let order = order();
    let modules: BTreeSet<String> = sources().iter().map(|s| s.module[0].clone()).collect();
    let listed: BTreeSet<String> = order.iter().cloned().collect();
    assert_eq!(order.len(), listed.len(), "a module is listed twice");
    let differences: Vec<_> = modules.symmetric_difference(&listed).cloned().collect();
    report("modules in ARCHITECTURE.md but not in src, or the reverse", &differences);
}

#[test]
fn imports_between_modules_name_lower_modules_only() {
    let (order, graph) = (order(), graph());
    let level = |i: usize| order.iter().position(|name| *name == graph.sources[i].module[0]);
    let (mut checked, mut upward) = (0, Vec::new());
    for (i, targets) in &graph.edges {
        for j in targets {
            let (from, to) = (&graph.sources[*i], &graph.sources[*j]);
            if from.module[0] != to.module[0] {
                checked += 1;
                if level(*i) < level(*j) {
                    upward.push(format!("{} imports {}", from.file, to.file));
                }
            }
        }
    }
    assert!(checked > 100, "expected more than 100 imports between modules, found {checked}");
    report("imports of a higher module", &upward);
}

#[test]
fn rule_files_import_no_cell_and_no_network() {
    let graph = graph();
    let of_cells = |j: &&usize| ["cell", "network"].contains(&graph.sources[**j].module[0].as_str());
    let mut offenders = Vec::new();
    for (i, targets) in graph.edges.iter().filter(|(i, _)| graph.sources[**i].module[0] == "rule") {
        let found = targets.iter().filter(of_cells);
        offenders
            .extend(found.map(|j| format!("{} imports {}", graph.sources[*i].file, graph.sources[*j].file)));
    }
    report("imports of cells or networks in rules", &offenders);
}

/// For the folder of path `folder`: which children import which. A subfolder is one child. `mod.rs`
/// is left out.
fn children(graph: &Graph, folder: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let child = |s: &Source| {
        (s.module.len() > folder.len() && s.module.starts_with(folder))
            .then(|| s.module[folder.len()].clone())
    };
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (i, targets) in &graph.edges {
        let Some(from) = child(&graph.sources[*i]) else { continue };
        let to = targets.iter().filter_map(|j| child(&graph.sources[*j])).filter(|to| *to != from);
        edges.entry(from.clone()).or_default().extend(to);
    }
    edges
}

/// The groups of children that import one another, directly or indirectly.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reach = |start: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(next) = open.pop() {
            open.extend(edges.get(next).into_iter().flatten().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|name| (name.clone(), reach(name))).collect();
    let in_circle = |name: &&String| reached[*name].contains(*name);
    let group = |name: &String| {
        let both = |other: &&String| {
            reached[name].contains(*other) && reached.get(*other).is_some_and(|r| r.contains(name))
        };
        edges.keys().filter(both).cloned().collect()
    };
    edges.keys().filter(in_circle).map(group).collect()
}

/// The folders of `src`: all modules that have children.
fn folders(graph: &Graph) -> BTreeSet<Vec<String>> {
    graph.sources.iter().map(|s| s.module[..s.module.len() - 1].to_vec()).collect()
}

#[test]
fn files_of_a_folder_form_no_circle() {
    let graph = graph();
    let mut found = Vec::new();
    for folder in folders(&graph).iter().filter(|folder| !folder.is_empty()) {
        let edges = children(&graph, folder);
        for circle in circles(&edges) {
            let inside = |name: &String| {
                let to: Vec<_> = edges[name].iter().filter(|to| circle.contains(to)).cloned().collect();
                format!("{name} -> {}", to.join(", "))
            };
            let arrows: Vec<_> = circle.iter().map(inside).collect();
            found.push(format!("{}/: {}", folder.join("/"), arrows.join("; ")));
        }
    }
    for line in through_the_folder(&graph) {
        println!("imports from the folder's own mod.rs (allowed): {line}");
    }
    report("circles of files", &found);
}

/// Files that import an item which the `mod.rs` of their own folder defines.
///
/// This is allowed for the trait and the settings of a folder (`Cell`, `Rule`, `Optimiser`), whose
/// registry in `mod.rs` lists the children. Such imports are printed with `--nocapture`.
fn through_the_folder(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (i, targets) in &graph.edges {
        let from = &graph.sources[*i];
        let parent = &from.module[..from.module.len() - 1];
        let own = targets.iter().filter(|j| graph.sources[**j].module == parent);
        found.extend(own.map(|j| format!("{} imports {}", from.file, graph.sources[*j].file)));
    }
    found
}

#[test]
fn public_types_have_unique_names() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The command line is a crate of its own, whose `Args` are one per command.
    for source in without_tests(sources()).iter().filter(|s| s.module[0] != "bin") {
        for line in source.code.lines() {
            let item = line.trim_start().strip_prefix("pub ").unwrap_or("");
            let kinds = ["struct ", "enum ", "trait ", "type "];
            if let Some(rest) = kinds.iter().find_map(|kind| item.strip_prefix(kind)) {
                let name = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                places.entry(name).or_default().push(source.file.clone());
            }
        }
    }
    assert!(places.len() > 80, "expected more than 80 types, found {}", places.len());
    let twice = places.iter().filter(|(_, files)| files.len() > 1);
    let twice: Vec<_> = twice.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect();
    report("names of several public types", &twice);
}

/// Functions longer than the limit, with their numbers of lines.
fn long_functions(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("fn ") {
        let before = source.code[..at].chars().next_back().unwrap_or(' ');
        let after = &source.code[at + 3..];
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || before.is_alphanumeric() || before == '_' {
            continue;
        }
        let lines = source.code[at..at + 3 + item_end(after)].lines().count();
        if lines > FUNCTION_LINES {
            found.push(format!("{}: {name}, {lines} lines", source.file));
        }
    }
    found
}

#[test]
fn files_and_functions_have_at_most_the_allowed_lines() {
    let sources = sources();
    let mut lengths: Vec<usize> = sources.iter().map(|s| s.code.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median < MEDIAN_LINES, "expected a median below {MEDIAN_LINES} lines per file, got {median}");
    let programs = ["examples", "studies/src"].map(|folder| sources_in(&root().join(folder)));
    let long: Vec<String> =
        sources.iter().chain(programs.iter().flatten()).flat_map(long_functions).collect();
    report(&format!("functions of more than {FUNCTION_LINES} lines"), &long);
}

#[test]
fn mentions_of_code_returns_its_module_paths() {
    let code =
        blank_literals("// crate::no\nuse crate::{a::{B, c::D}, e}; let s = \"crate::no\"; let c = 'x';");
    let source = Source { file: "x/y.rs".into(), module: vec!["x".into(), "y".into()], code };
    let found: Vec<String> = mentions(&source).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::B", "a::c::D", "e"]);
    let source = Source { code: "super::z::f(); super::super::w;".into(), ..source };
    let found: Vec<String> = mentions(&source).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["w", "x::z::f"]);
    assert_eq!(remove_tests("a #[cfg(test)] mod t { fn f() {} } b #[cfg(test)] use c; d").trim(), "a  b  d");
}
