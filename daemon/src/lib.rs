//! The daemon of a vat.

pub mod control;
pub mod directory;
pub mod driver;
pub mod executor;
pub mod key;
pub mod protocol;
pub mod serve;
pub mod settings;
pub mod store;
pub mod vat;
pub mod worker {
    //! stand-in until the merge
    pub const EXIT_REPLACE: i32 = 3;
    pub fn main() -> ! {
        std::process::exit(1)
    }
}
