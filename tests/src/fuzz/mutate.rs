//! New inputs from old ones, by chance: the part of libFuzzer that needs no special compiler.

/// Makes inputs. The same seed makes the same.
pub struct Mutator {
    state: u64,
    pool: Vec<Vec<u8>>,
}

/// The longest input it makes.
const BYTES_MAX: usize = 4096;

/// Bytes that mean something to somebody: ends of ranges, quotes, brackets, varints' continuation.
const TELLING: [u8; 20] = [
    0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'{', b'}', b'[', b']', b'(', b')', b',', b':', b'@', b'-', b'/', b'*', b'\n',
];

impl Mutator {
    /// One that starts from these inputs.
    pub fn new(seed: u64, pool: Vec<Vec<u8>>) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, pool }
    }

    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let roll = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(roll).unwrap_or(0) % bound.max(1)
    }

    /// The next input: one of the pool, changed in a few places.
    pub fn input(&mut self) -> Vec<u8> {
        let base = self.below(self.pool.len());
        let mut input = self.pool.get(base).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input.truncate(BYTES_MAX);
        // What was changed is changed on, now and then.
        if self.below(64) == 0 && self.pool.len() < 256 {
            self.pool.push(input.clone());
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let end = (at + 1 + self.below(16)).min(input.len());
        match self.below(7) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 if !input.is_empty() => input[at] = TELLING[self.below(TELLING.len())],
            2 => {
                let byte = TELLING[self.below(TELLING.len())];
                input.insert(at, byte);
            }
            3 => drop(input.drain(at..end)),
            4 => {
                let piece = input[at..end].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            5 => {
                let other = self.below(self.pool.len());
                let other = self.pool.get(other).cloned().unwrap_or_default();
                let from = self.below(other.len());
                let until = (from + 1 + self.below(64)).min(other.len());
                input.splice(at..end, other[from..until].iter().copied());
            }
            _ => input.truncate(at),
        }
    }
}
