//! Which instructions a processor has.

use core::sync::atomic::{AtomicU8, Ordering};

/// Sets of instructions, each with all of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Those of every x86-64: the portable kernels.
    Portable,
    /// AVX2 and FMA: vectors of 256 bits.
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI: vectors of 512 bits, products of four bytes at once.
    Avx512Vnni,
}

impl Level {
    /// All of them, the plainest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512Vnni];

    /// A name for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512Vnni => "AVX-512 VNNI",
        }
    }
}

/// A level that this processor has: kernels that use its instructions take one of these as proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available(Level);

impl Available {
    /// The best level. With the feature `std` the processor is asked, once; without it, what the
    /// program was built for counts (`-C target-cpu` or `-C target-feature`).
    pub fn best() -> Self {
        Self(best())
    }

    /// A level, if this processor has it.
    pub fn level(level: Level) -> Option<Self> {
        (level <= best()).then_some(Self(level))
    }

    /// Which one.
    pub const fn get(self) -> Level {
        self.0
    }
}

fn best() -> Level {
    /// One more than the place of the best level in [`Level::ALL`]; 0 as long as nobody has asked.
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let best = if has_avx512_vnni() {
                Level::Avx512Vnni
            } else if has_avx2() {
                Level::Avx2
            } else {
                Level::Portable
            };
            KNOWN.store((best as u8).wrapping_add(1), Ordering::Relaxed);
            best
        }
        1 => Level::Portable,
        2 => Level::Avx2,
        _ => Level::Avx512Vnni,
    }
}

#[cfg(feature = "std")]
macro_rules! has {
    ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
}

#[cfg(not(feature = "std"))]
macro_rules! has {
    ($($feature:tt),*) => { $(cfg!(target_feature = $feature))&&* };
}

fn has_avx2() -> bool {
    has!("avx2", "fma")
}

fn has_avx512_vnni() -> bool {
    if !has_avx2() {
        return false;
    }
    has!("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni")
}

#[cfg(test)]
mod tests {
    use super::{Available, Level};

    #[test]
    fn levels_up_to_the_best_are_there() {
        let best = Available::best().get();
        for level in Level::ALL {
            assert_eq!(Available::level(level).map(Available::get), (level <= best).then_some(level));
        }
    }
}
