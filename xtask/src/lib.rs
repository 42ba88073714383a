//! The rules of the house as programs. Each finds what breaks it; `tests/rules.rs` runs them all, so a rule is a test.

use std::fs;
use std::path::{Path, PathBuf};

pub mod layers;
pub mod nouns;
pub mod tidy;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// One source file: its path from the root, with `/`, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

const SKIPPED: [&str; 9] = ["target", "node_modules", "dist", ".git", ".venv", ".demo", ".tools", "gen", "__pycache__"];

/// Every source file of the project with one of these endings, sorted by path.
pub fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        let name = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/");
        if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(Source { path: name, text: fs::read_to_string(path).unwrap_or_default() });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(dir: &Path, each: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_ref()) {
                walk(&path, each);
            }
        } else {
            each(&path);
        }
    }
}

/// Holds findings against a list of known exceptions (a line each, `#` for the reason): what is not listed is an error,
/// and so is a line that nothing needs any more. So a list can only shrink.
pub fn against_list(findings: Vec<String>, list: &str, list_name: &str) -> Vec<String> {
    let known: Vec<&str> =
        list.lines().map(|l| l.split('#').next().unwrap_or("").trim()).filter(|l| !l.is_empty()).collect();
    let key = |finding: &str| finding.split(": ").next().unwrap_or("").to_owned();
    let mut errors: Vec<String> = findings.iter().filter(|f| !known.contains(&key(f).as_str())).cloned().collect();
    let stale = known.iter().filter(|k| !findings.iter().any(|f| key(f) == **k));
    errors.extend(stale.map(|k| format!("{list_name}: `{k}` is not needed any more: take the line out")));
    errors
}
