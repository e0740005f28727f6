//! What is known of one image after it has been looked at once: whether it is the same as another, and its sums.

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Takes in bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The number for all bytes so far.
    pub fn finish(self) -> u64 {
        self.0
    }
}

/// One image as statistics and the report before training need it. Sums are exact integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRecord {
    /// Number for the pixels; two images with the same one are taken for the same.
    pub fingerprint: u64,
    /// Smallest value.
    pub lowest: u8,
    /// Largest value.
    pub highest: u8,
    /// Pixels.
    pub pixels: u64,
    /// Sum of each channel.
    pub first: [u64; 3],
    /// Sum of each product of two channels, the first not behind the second.
    pub second: [[u64; 3]; 3],
}

impl ImageRecord {
    /// Looks at an image, channels interleaved.
    pub fn of(image: &[u8], channels: usize) -> Self {
        let mut hash = Fnv::default();
        hash.write(image);
        let mut record = ImageRecord {
            fingerprint: hash.finish(),
            lowest: image.iter().copied().min().unwrap_or(0),
            highest: image.iter().copied().max().unwrap_or(0),
            pixels: 0,
            first: [0; 3],
            second: [[0; 3]; 3],
        };
        for pixel in image.chunks_exact(channels) {
            record.pixels += 1;
            for (row, &left) in pixel.iter().enumerate() {
                record.first[row] += u64::from(left);
                for (column, &right) in pixel.iter().enumerate().skip(row) {
                    record.second[row][column] += u64::from(left) * u64::from(right);
                }
            }
        }
        record
    }
}
