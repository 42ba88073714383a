//! Sizes, openings and left-overs of files.

use std::fs;

use crate::{Source, against_list, root, sources};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const TRAIT_METHODS_MAX: usize = 6;
const ROOT_ENTRIES_MAX: usize = 20;

/// Everything that is untidy, a line each.
pub fn check() -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources(&[".rs", ".ts", ".tsx", ".py", ".css", ".mjs"]) {
        findings.extend(lines(&source));
        findings.extend(leftovers(&source));
        if source.path.ends_with(".rs") {
            findings.extend(opening(&source));
            findings.extend(functions(&source));
            findings.extend(traits(&source));
        }
    }
    findings.extend(root_entries());
    against_list(findings, include_str!("../lists/tidy.txt"), "xtask/lists/tidy.txt")
}

fn lines(source: &Source) -> Option<String> {
    let count = source.text.lines().count();
    (count > FILE_LINES_MAX).then(|| format!("{}: {count} lines, {FILE_LINES_MAX} at most", source.path))
}

fn opening(source: &Source) -> Option<String> {
    (!source.text.starts_with("//!"))
        .then(|| format!("{}: does not open with `//!` that says why it exists", source.path))
}

/// Relies on rustfmt: an item's closing brace stands at the item's own indentation (and in a macro something may follow).
fn functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        let is_fn = code.split("fn ").next().is_some_and(|head| {
            code.contains("fn ") && head.split_whitespace().all(|w| FN_WORDS.contains(&w) || w.starts_with("pub("))
        });
        let opens = lines[start..].iter().find(|l| l.ends_with(['{', '}', ';'])).is_some_and(|l| l.ends_with('{'));
        if !is_fn || !opens {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[start..].iter().position(|l| l.starts_with(&close)).unwrap_or(0) + 1;
        if length > FUNCTION_LINES_MAX {
            let name = code.split("fn ").nth(1).unwrap_or("").split(['(', '<']).next().unwrap_or("");
            found.push(format!("{} {name}: a function of {length} lines, {FUNCTION_LINES_MAX} at most", source.path));
        }
    }
    found
}

const FN_WORDS: [&str; 7] = ["pub", "async", "const", "unsafe", "extern", "\"C\"", "default"];

fn traits(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<(String, usize)> = None;
    for line in source.text.lines() {
        if let Some(rest) = line.strip_prefix("pub trait ").or_else(|| line.strip_prefix("trait ")) {
            current = Some((rest.split([':', '<', ' ', '{']).next().unwrap_or("").to_owned(), 0));
        } else if line == "}" {
            if let Some((name, count)) = current.take().filter(|(_, count)| *count > TRAIT_METHODS_MAX) {
                found.push(format!("{} {name}: a trait of {count} methods, {TRAIT_METHODS_MAX} at most", source.path));
            }
        } else if let Some((_, count)) = &mut current
            && (line.starts_with("    fn ") || line.starts_with("    async fn "))
        {
            *count += 1;
        }
    }
    found
}

/// What must not be left in a tree. The words are put together here so that this file does not find itself.
fn leftovers(source: &Source) -> Vec<String> {
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["#[ig", "nore"].concat(),
        [".sk", "ip("].concat(),
        [".on", "ly("].concat(),
        ["mark.sk", "ip"].concat(),
        ["xf", "ail"].concat(),
    ];
    let rust = source.path.ends_with(".rs");
    let mut found = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for word in &words {
            // Iterators skip; test suites must not.
            let iterator = rust && word.starts_with('.');
            if line.contains(word.as_str()) && !iterator {
                found.push(format!("{}:{}: has `{word}`", source.path, number + 1));
            }
        }
    }
    found
}

fn root_entries() -> Option<String> {
    let entries = fs::read_dir(root()).into_iter().flatten().flatten();
    let ignored = ["target", "dist", "node_modules"];
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    let count = names.filter(|n| !n.starts_with('.') && !ignored.contains(&n.as_str())).count();
    (count > ROOT_ENTRIES_MAX).then(|| format!("root: {count} entries, {ROOT_ENTRIES_MAX} at most"))
}
