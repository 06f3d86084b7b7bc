//! The bundled objects: what `qrt install DIR sample-methods` installs, and what the demo runs.

/// An object that comes with `qrt`.
#[derive(Debug)]
pub struct Sample {
    /// What is typed in place of a file.
    pub name: &'static str,
    /// Its code.
    pub code: &'static str,
}

/// Every sample.
pub static SAMPLES: &[Sample] = &[
    Sample { name: "sample-methods", code: include_str!("../samples/sample-methods.js") },
    Sample { name: "market-maker", code: include_str!("../samples/market-maker.js") },
    Sample { name: "market-taker", code: include_str!("../samples/market-taker.js") },
];

/// The sample of that name.
pub fn by_name(name: &str) -> Option<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrt_shared::action::by_verb;
    use qrt_shared::id::Petname;

    #[test]
    fn help_lists_every_sample() {
        let help = by_verb("install").expect("a verb").details;
        for sample in SAMPLES {
            assert!(help.contains(&format!("`{}`", sample.name)), "{}", sample.name);
        }
    }

    #[test]
    fn a_sample_is_one_function_and_uses_nothing_that_objects_have_not() {
        for sample in SAMPLES {
            assert!(sample.name.parse::<Petname>().is_ok());
            let code: Vec<_> = sample.code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            assert!(code.trim_start().starts_with("function"), "{}", sample.name);
            assert!(code.trim_end().ends_with('}'), "{}", sample.name);
            for absent in ["Date", "Math.random", "eval", "import", "require", "setTimeout", "async", "await"] {
                assert!(!code.contains(absent), "{}: {absent}", sample.name);
            }
        }
    }
}
