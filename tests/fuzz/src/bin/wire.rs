#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (qrt_tests::fuzz::target(env!("CARGO_BIN_NAME")).run)(input));
