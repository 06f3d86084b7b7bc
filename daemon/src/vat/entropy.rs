//! Random bytes, as an argument.

/// A source of random bytes: the operating system in the daemon, a seeded generator in tests.
pub trait Entropy {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);

    /// `N` random bytes.
    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
