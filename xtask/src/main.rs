//! `cargo xtask tidy`: the rules of the house, by hand. `cargo test -p xtask` runs the same.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stderr().lock();
    if std::env::args().nth(1).as_deref() != Some("tidy") {
        let _ = writeln!(out, "usage: cargo xtask tidy");
        return ExitCode::from(2);
    }
    let errors = [xtask::tidy::check(), xtask::layers::check(), xtask::nouns::check()].concat();
    for error in &errors {
        let _ = writeln!(out, "{error}");
    }
    if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
