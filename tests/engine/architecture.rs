//! The structure of `src`: import order, circles of files, names of types, sizes. Functions of
//! examples and studies have the same maximum length.
//!
//! The order of modules is read from the table in ARCHITECTURE.md, so that the page and the test
//! agree. Code is read as text: comments, strings and `#[cfg(test)]` items are removed, and
//! `crate::`, `super::` and `self::` paths are resolved to files. A name that a `mod.rs` re-exports
//! resolves to the file that defines it.

mod source;

use source::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const MEDIAN_LINES: usize = 160;
const FUNCTION_LINES: usize = 60;

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
