//! A JPEG encoder for tests (ITU-T T.81): what no library writes, in few lines.
//!
//! It draws quantised DCT coefficients from a hash instead of transforming a picture, so that its files are the same on
//! every machine, and gives every Huffman code the same length.

/// What kind of file to write.
#[derive(Clone, Debug)]
pub struct Jpeg {
    pub width: usize,
    pub height: usize,
    /// Identifier, horizontal and vertical sampling of each component.
    pub components: Vec<(u8, usize, usize)>,
    /// Every component in a scan of its own.
    pub separate: bool,
    /// Spectral selection: DC first, then the rest of each component.
    pub progressive: bool,
    /// MCUs between restart markers; 0 for none.
    pub restart: usize,
    /// Colour transform of an APP14 segment.
    pub adobe: Option<u8>,
    /// Bytes of that segment that are left out at its end.
    pub adobe_cut: usize,
    pub jfif: bool,
    /// Bytes put between the first two segments.
    pub stray: Vec<u8>,
}

impl Jpeg {
    /// YCbCr with this sampling of luma, in JFIF's form.
    pub fn colour(width: usize, height: usize, horizontal: usize, vertical: usize) -> Self {
        let components = vec![(1, horizontal, vertical), (2, 1, 1), (3, 1, 1)];
        Jpeg {
            width,
            height,
            components,
            separate: false,
            progressive: false,
            restart: 0,
            adobe: None,
            adobe_cut: 0,
            jfif: true,
            stray: Vec::new(),
        }
    }

    fn largest(&self) -> (usize, usize) {
        let most = |part: fn(&(u8, usize, usize)) -> usize| self.components.iter().map(part).max().unwrap();
        (most(|component| component.1), most(|component| component.2))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        if self.jfif {
            segment(&mut bytes, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        }
        bytes.extend(&self.stray);
        if let Some(transform) = self.adobe {
            let content = [b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat();
            segment(&mut bytes, 0xee, &content[..content.len() - self.adobe_cut]);
        }
        let steps: Vec<u8> = std::iter::once(0).chain((0..64).map(|place| 6 + place / 4)).collect();
        segment(&mut bytes, 0xdb, &steps);
        let mut frame = vec![8];
        frame.extend((self.height as u16).to_be_bytes());
        frame.extend((self.width as u16).to_be_bytes());
        frame.push(self.components.len() as u8);
        for &(identifier, horizontal, vertical) in &self.components {
            frame.extend([identifier, (horizontal << 4 | vertical) as u8, 0]);
        }
        segment(&mut bytes, if self.progressive { 0xc2 } else { 0xc0 }, &frame);
        // 12 codes of 4 bits, 162 of 8.
        let mut tables = vec![0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        tables.extend(0..12);
        tables.extend([0x10, 0, 0, 0, 0, 0, 0, 0, 162, 0, 0, 0, 0, 0, 0, 0, 0]);
        tables.extend(alternating_symbols());
        segment(&mut bytes, 0xc4, &tables);
        if self.restart > 0 {
            segment(&mut bytes, 0xdd, &(self.restart as u16).to_be_bytes());
        }
        let all: Vec<usize> = (0..self.components.len()).collect();
        match (self.progressive, self.separate) {
            (false, false) => self.scan(&mut bytes, &all, 0, 63),
            (false, true) => all.iter().for_each(|&one| self.scan(&mut bytes, &[one], 0, 63)),
            (true, separate) => {
                match separate {
                    false => self.scan(&mut bytes, &all, 0, 0),
                    true => all.iter().for_each(|&one| self.scan(&mut bytes, &[one], 0, 0)),
                }
                for &one in &all {
                    self.scan(&mut bytes, &[one], 1, 5);
                    self.scan(&mut bytes, &[one], 6, 63);
                }
            }
        }
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    fn scan(&self, bytes: &mut Vec<u8>, components: &[usize], first: usize, last: usize) {
        let mut header = vec![components.len() as u8];
        components.iter().for_each(|&component| header.extend([self.components[component].0, 0]));
        header.extend([first as u8, last as u8, 0]);
        segment(bytes, 0xda, &header);
        let mut bits = Bits::default();
        let mut before = [0i32; 4];
        for (number, blocks) in self.units(components).into_iter().enumerate() {
            if self.restart > 0 && number > 0 && number % self.restart == 0 {
                bits.flush(bytes);
                bytes.extend([0xff, 0xd0 + ((number / self.restart - 1) % 8) as u8]);
                before = [0; 4];
            }
            for (component, row, column) in blocks {
                let block = |place| coefficient(component, row, column, place);
                if first == 0 {
                    let difference = block(0) - before[component];
                    before[component] = block(0);
                    let (size, value) = magnitude(difference);
                    bits.put(size, 4);
                    bits.put(value, size);
                }
                let mut zeros = 0;
                for place in first.max(1)..=last {
                    if block(place) == 0 {
                        zeros += 1;
                        continue;
                    }
                    while zeros > 15 {
                        bits.put(symbol_code(0xf0), 8);
                        zeros -= 16;
                    }
                    let (size, value) = magnitude(block(place));
                    bits.put(symbol_code((zeros << 4 | size) as u8), 8);
                    bits.put(value, size);
                    zeros = 0;
                }
                if zeros > 0 {
                    bits.put(symbol_code(0), 8);
                }
            }
        }
        bits.flush(bytes);
    }

    /// The blocks (component, row, column) of each minimum coded unit of a scan.
    fn units(&self, components: &[usize]) -> Vec<Vec<(usize, usize, usize)>> {
        let (most_across, most_down) = self.largest();
        if let &[one] = components {
            let (_, horizontal, vertical) = self.components[one];
            let columns = (self.width * horizontal).div_ceil(most_across).div_ceil(8);
            let rows = (self.height * vertical).div_ceil(most_down).div_ceil(8);
            return (0..rows).flat_map(|row| (0..columns).map(move |column| vec![(one, row, column)])).collect();
        }
        let (columns, rows) = (self.width.div_ceil(8 * most_across), self.height.div_ceil(8 * most_down));
        let unit = |row: usize, column: usize| {
            let mut blocks = Vec::new();
            for &component in components {
                let (_, horizontal, vertical) = self.components[component];
                for down in 0..vertical {
                    for across in 0..horizontal {
                        blocks.push((component, row * vertical + down, column * horizontal + across));
                    }
                }
            }
            blocks
        };
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| unit(row, column))
            .collect()
    }
}

/// A coefficient in zigzag order: DC anywhere, low frequencies small, high ones rare.
fn coefficient(component: usize, row: usize, column: usize, place: usize) -> i32 {
    let seed = [component, row, column, place].iter().fold(0x9e37_79b9_7f4a_7c15_u64, |seed, &part| {
        let mixed = (seed ^ (part as u64 + 1)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
    });
    let value = (seed >> 33) as i32;
    match place {
        0 => value % 81 - 40,
        1..=5 => value % 7 - 3,
        _ if value % 24 == 0 => value / 24 % 3 - 1,
        _ => 0,
    }
}

/// Number of bits of a value and these bits (T.81, F.1.2.1).
fn magnitude(value: i32) -> (u32, u32) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    (size, if value < 0 { (value - 1) as u32 & ((1 << size) - 1) } else { value as u32 })
}

/// All symbols of AC coefficients: end of block, 16 zeros, and runs with sizes up to 10.
fn alternating_symbols() -> Vec<u8> {
    let runs = (0..16u8).flat_map(|run| (1..=10u8).map(move |size| run << 4 | size));
    [0, 0xf0].into_iter().chain(runs).collect()
}

fn symbol_code(symbol: u8) -> u32 {
    alternating_symbols().iter().position(|&other| other == symbol).unwrap() as u32
}

fn segment(bytes: &mut Vec<u8>, marker: u8, content: &[u8]) {
    bytes.extend([0xff, marker]);
    bytes.extend((content.len() as u16 + 2).to_be_bytes());
    bytes.extend(content);
}

/// Bits that are put together to bytes, with a 0 behind every 0xff.
#[derive(Default)]
struct Bits {
    whole: Vec<u8>,
    value: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.value = self.value << count | u64::from(value);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.value >> self.count) as u8;
            self.value &= (1 << self.count) - 1;
            self.whole.push(byte);
            if byte == 0xff {
                self.whole.push(0);
            }
        }
    }

    /// Fills the last byte with ones and hands all bytes over.
    fn flush(&mut self, bytes: &mut Vec<u8>) {
        if self.count > 0 {
            let missing = 8 - self.count;
            self.put((1 << missing) - 1, missing);
        }
        bytes.append(&mut self.whole);
    }
}
