//! Measures `append`: nanoseconds of the caller for a 32-byte item, in the mapped ring and in overflow files.

use std::io::Write;

use corral_spool::{Options, Owner, Spool, WriterIdentity};

#[allow(clippy::disallowed_methods, reason = "measuring is what it is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into)
        .join(format!("append-ns-{}", std::process::id()));
    let spool = Spool::create(Options::new(dir.clone()), Owner::default(), [1; 16], 1)?;
    let writer = spool.open_writer(WriterIdentity { writer_id: [1; 16], epoch: 1, run_id: "r".into() })?;
    let mut out = std::io::stdout();
    let mut measure = |what: &str, count: u32, each: &mut dyn FnMut() -> Result<(), corral_spool::SpoolError>| {
        let begin = std::time::Instant::now();
        for _ in 0..count {
            each()?;
        }
        let ns = begin.elapsed().as_nanos() as f64 / f64::from(count);
        writeln!(out, "{what}: {ns:.1} ns").map_err(|source| corral_spool::SpoolError::Io { what: "print", source })
    };
    let mut append = || spool.append_with(writer, 1, 32, |place| place.fill(1)).map(|_| ());
    measure("ring, first lap (page faults)", 1_000_000, &mut append)?;
    spool.ack(writer, u64::MAX, 1)?;
    measure("ring, pages there", 5_000_000, &mut append)?;
    spool.ack(writer, 1, 2)?;
    measure("mixed ring and overflow", 3_000_000, &mut append)?;
    measure("overflow", 1_000_000, &mut append)?;
    drop(spool);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
