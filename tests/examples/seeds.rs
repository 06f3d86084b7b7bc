//! Writes the seeds of every fuzz target below the directory it is given, a file each; `tests/fuzz/run` uses it.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let corpus = PathBuf::from(std::env::args().nth(1).expect("usage: seeds DIRECTORY"));
    for target in &qrt_tests::fuzz::TARGETS {
        let dir = corpus.join(target.name);
        std::fs::create_dir_all(&dir)?;
        for (seed, number) in (target.seeds)().into_iter().zip(0..) {
            std::fs::write(dir.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
