//! The marker segments of a JPEG up to its first scan (ITU-T T.81, annex B).

/// Start of image, of scan, end of image.
const SOI: u8 = 0xd8;
const SOS: u8 = 0xda;
const EOI: u8 = 0xd9;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// One component of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Its name: 1, 2, 3 for Y, Cb, Cr in files of JFIF's form.
    pub identifier: u8,
    /// Samples in a block of the frame, across.
    pub horizontal: u8,
    /// Samples in a block of the frame, down.
    pub vertical: u8,
}

/// What the header says, and what of it is unusual.
#[derive(Debug)]
pub struct Header<'a> {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Exif block, without its `Exif\0\0`.
    pub exif: Option<&'a [u8]>,
    /// XMP packet.
    pub xmp: Option<&'a [u8]>,
    /// Whether the image comes in several scans: progressive, or components by themselves.
    pub has_several_scans: bool,
    process: u8,
    precision: u8,
    components: Vec<Component>,
    has_jfif: bool,
    /// Adobe's colour transform; an inner `None` for a segment too short to say.
    adobe: Option<Option<u8>>,
    has_stray_bytes: bool,
}

impl<'a> Header<'a> {
    /// Reads the segments before the first scan. Bytes between two segments are skipped, as libjpeg does.
    ///
    /// # Errors
    /// Where the bytes end, or the image does, before a frame and a scan begin.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let ended = || "it ends within its header".to_string();
        let mut header = Header {
            width: 0,
            height: 0,
            exif: None,
            xmp: None,
            has_several_scans: false,
            process: 0,
            precision: 0,
            components: Vec::new(),
            has_jfif: false,
            adobe: None,
            has_stray_bytes: false,
        };
        let mut at = 2;
        loop {
            let skipped =
                bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)).ok_or_else(ended)?;
            header.has_stray_bytes |= skipped > 0;
            at += skipped;
            // A marker may begin with any number of 0xff.
            at += bytes[at..].iter().position(|&byte| byte != 0xff).ok_or_else(ended)?;
            let marker = bytes[at];
            at += 1;
            match marker {
                0 => {
                    header.has_stray_bytes = true;
                    continue;
                }
                EOI => return Err("it ends before its first scan".into()),
                SOI | 0x01 | 0xd0..=0xd7 => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let length = length.ok_or_else(ended)?.max(2);
            let segment = bytes.get(at + 2..at + length).ok_or_else(ended)?;
            match marker {
                SOS => {
                    let in_scan = segment.first().copied().unwrap_or(0);
                    header.has_several_scans =
                        header.is_progressive() || usize::from(in_scan) != header.components.len();
                    return if header.components.is_empty() {
                        Err("its first scan comes before its frame".into())
                    } else {
                        Ok(header)
                    };
                }
                // Start of frame; 0xc4 are Huffman tables, 0xc8 is reserved, 0xcc arithmetic conditioning.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => header.read_frame(marker, segment)?,
                APP0 => header.has_jfif |= segment.starts_with(b"JFIF\0"),
                APP1 => {
                    header.exif = header.exif.or(segment.strip_prefix(b"Exif\0\0"));
                    header.xmp = header.xmp.or(segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0"));
                }
                APP14 if segment.starts_with(b"Adobe") => header.adobe = Some(segment.get(11).copied()),
                _ => {}
            }
            at += length;
        }
    }

    fn read_frame(&mut self, process: u8, segment: &[u8]) -> Result<(), String> {
        let &[precision, high, low, left, right, count, ref components @ ..] = segment else {
            return Err("its frame header is too short".into());
        };
        self.process = process;
        self.precision = precision;
        self.height = u32::from(u16::from_be_bytes([high, low]));
        self.width = u32::from(u16::from_be_bytes([left, right]));
        self.components = components
            .chunks_exact(3)
            .take(usize::from(count))
            .map(|part| Component { identifier: part[0], horizontal: part[1] >> 4, vertical: part[1] & 15 })
            .collect();
        Ok(())
    }

    fn is_progressive(&self) -> bool {
        matches!(self.process, 0xc2 | 0xc6 | 0xca | 0xce)
    }

    /// Whether this is what most files are: 8 bits, Huffman codes, sequential in one scan, gray or YCbCr with chroma at
    /// full size or halved in width or in both directions, no stray bytes, no doubt about the colours.
    pub fn is_ordinary(&self) -> bool {
        let sampling: Vec<(u8, u8)> =
            self.components.iter().map(|component| (component.horizontal, component.vertical)).collect();
        let identifiers: Vec<u8> = self.components.iter().map(|component| component.identifier).collect();
        let colours = match sampling.as_slice() {
            [_] => sampling == [(1, 1)] && self.adobe.is_none(),
            [luma, (1, 1), (1, 1)] => {
                matches!(luma, (1, 1) | (2, 1) | (2, 2))
                    && identifiers == [1, 2, 3]
                    && matches!(self.adobe, None | Some(Some(1)))
            }
            _ => false,
        };
        colours
            && self.precision == 8
            && self.width > 0
            && self.height > 0
            && matches!(self.process, 0xc0 | 0xc1)
            && !self.has_several_scans
            && !self.has_stray_bytes
    }
}
