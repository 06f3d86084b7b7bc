//! `qrt`, the command line of a vat's operator.

fn main() -> std::process::ExitCode {
    qrt::cli::main(std::env::args_os())
}
