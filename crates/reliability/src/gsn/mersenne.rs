//! The generator that decides which stimuli are held out: NumPy's `RandomState`, so that they are those of the
//! reference implementation. Nothing else is drawn with it.

/// MT19937 of Matsumoto and Nishimura (1998), seeded as their `init_genrand` does.
struct Mersenne {
    state: [u32; N],
    next: usize,
}

const N: usize = 624;
/// Distance of the word that is mixed in.
const M: usize = 397;

impl Mersenne {
    fn new(seed: u32) -> Mersenne {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] = (before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Mersenne { state, next: N }
    }

    fn word(&mut self) -> u32 {
        if self.next == N {
            for i in 0..N {
                // The top bit of one word and the rest of the following one.
                let both = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let twist = if both & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (both >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Uniform in `[0, 1)` with 53 random bits, of two words (the authors' `genrand_res53`).
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }
}

/// The numbers `0..n` in the order of `numpy.argsort(numpy.random.RandomState(42).random(n))`.
pub(super) fn order_of_42(n: usize) -> Vec<usize> {
    let mut generator = Mersenne::new(42);
    let keys: Vec<f64> = (0..n).map(|_| generator.uniform()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_authors_and_doubles_those_of_numpy() {
        // The first words of init_genrand(5489), the default seed of C++ (its 10000th word is in that standard).
        let mut words = Mersenne::new(5489);
        assert_eq!([words.word(), words.word()], [3_499_211_612, 581_869_302]);
        assert_eq!((2..10_000).map(|_| words.word()).last(), Some(4_123_659_995));
        // numpy.random.RandomState(42).random(4), NumPy 2.4.6
        let mut doubles = Mersenne::new(42);
        for expected in NUMPY {
            assert_eq!(doubles.uniform(), expected);
        }
        assert_eq!(order_of_42(12), ORDER);
    }
    const NUMPY: [f64; 4] = [0.3745401188473625, 0.9507143064099162, 0.7319939418114051, 0.5986584841970366];
    const ORDER: [usize; 12] = [10, 6, 5, 4, 0, 3, 8, 9, 2, 7, 1, 11];
}
