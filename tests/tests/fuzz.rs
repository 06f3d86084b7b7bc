//! What reads strangers' bytes, given some thousands of inputs by chance; `tests/fuzz/README.md` says how to give
//! it more. Without a nightly compiler, for ten minutes each:
//!
//!     QRT_FUZZ_SECONDS=600 cargo test -p qrt-tests --test fuzz -- --nocapture
#![expect(clippy::print_stdout, reason = "a long run is for its figures")]

use std::time::{Duration, Instant};

use qrt_tests::fuzz::{Mutator, Target, target};

/// `inputs` are as many as a busy machine runs in a few seconds.
fn holds(name: &str, inputs: u64) {
    let Target { seeds, run, .. } = target(name);
    for seed in seeds() {
        run(&seed);
    }
    let seconds = std::env::var("QRT_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let (mut mutator, mut ran) = (Mutator::new(1, seeds()), 0);
    while ran < inputs || seconds.is_some() && Instant::now() < until {
        run(&mutator.input());
        ran += 1;
    }
    println!("{name}: {ran} inputs");
}

#[test]
fn a_report_that_the_kernel_takes_is_about_what_its_turn_was_given() {
    holds("of_worker", 50_000);
}

#[test]
fn what_a_worker_is_told_is_refused_or_read_as_it_was_written() {
    holds("to_worker", 50_000);
}

#[test]
fn qjson_is_given_out_as_it_was_taken_in() {
    holds("qjson", 50_000);
}

#[test]
fn what_vats_say_is_refused_or_written_as_it_was_read() {
    holds("wire", 50_000);
}

#[test]
fn code_that_passes_the_check_is_one_function_to_a_third_reader() {
    holds("code", 5_000);
}
