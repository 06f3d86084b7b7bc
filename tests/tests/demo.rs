//! The demo is a program's main job, so it is a test as well.

use qrt_tests::Scratch;

#[test]
fn the_scripted_tour_checks_what_it_tells_and_leaves_nothing_behind() {
    let scratch = Scratch::default();
    let there = std::fs::create_dir(scratch.path("tmp"));
    there.expect("a directory");
    let tmp = scratch.path("tmp");
    let ran = scratch.qrt_with(&["demo"], "", &[("TMPDIR", tmp.as_os_str())]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let ok = ran.stdout.lines().filter(|line| line.trim_start().starts_with("ok")).count();
    assert!(ok >= 15, "it checks: {}", ran.stdout);
    assert!(!ran.stdout.contains("FAILED"), "{}", ran.stdout);
    let left: Vec<_> = std::fs::read_dir(&tmp).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
}
