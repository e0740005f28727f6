//! Pseudo-random contents of frames and states, the same on every machine.

use convrnn_runtime::format::Element;

/// A linear congruential generator with the constants of Numerical Recipes; its upper bits are given out.
#[derive(Clone, Copy, Debug)]
pub struct Random(u32);

impl Random {
    /// The numbers that belong to a seed.
    pub fn new(seed: u32) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9).wrapping_add(1));
        random.next();
        random
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }

    /// A number of 16 bits, one in four the smallest, the largest or none.
    fn integer(&mut self) -> i16 {
        match (self.next() >> 28, self.next() >> 16) {
            (0, _) => i16::MIN,
            (1, _) => i16::MAX,
            (2 | 3, _) => 0,
            (_, bits) => bits as i16,
        }
    }

    /// A number from -2 up to 2.
    fn real(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 22) as f32 - 2.0
    }

    /// Fills a tensor's bytes.
    pub fn fill(&mut self, element: Element, bytes: &mut [u8]) {
        match element {
            // The upper byte of the extremes are the extremes of a byte.
            Element::I8 => bytes.iter_mut().for_each(|byte| *byte = (self.integer() >> 8) as u8),
            Element::I16 => {
                let (pairs, _) = bytes.as_chunks_mut();
                pairs.iter_mut().for_each(|pair| *pair = self.integer().to_le_bytes());
            }
            Element::I32 => {
                let (words, _) = bytes.as_chunks_mut();
                words.iter_mut().for_each(|word| *word = i32::from(self.integer()).to_le_bytes());
            }
            Element::F32 => {
                let (words, _) = bytes.as_chunks_mut();
                words.iter_mut().for_each(|word| *word = self.real().to_le_bytes());
            }
        }
    }
}
