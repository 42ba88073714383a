//! Puts the built page into the binary: a table of its files, or one page that says how to build it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const MISSING: &str = include_str!("src/assets/missing.html");

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=ui/dist");
    println!("cargo::rerun-if-changed=src/assets/missing.html");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("ui/dist");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    if root.join("index.html").is_file() {
        walk(&root, &mut files)?;
    } else {
        let page = out.join("index.html");
        fs::write(&page, MISSING)?;
        files.push(page);
    }
    files.sort();
    let mut table = String::from("[\n");
    for file in &files {
        let name = file.strip_prefix(&root).or_else(|_| file.strip_prefix(&out)).unwrap_or(file);
        let name = name.to_string_lossy().replace('\\', "/");
        // Writing to a text cannot fail.
        let _ = writeln!(table, "    ({name:?}, include_bytes!({:?})),", file.to_string_lossy());
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
