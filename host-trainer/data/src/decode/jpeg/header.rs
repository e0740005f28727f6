//! The marker segments of a JPEG up to its first scan (ITU-T T.81, annex B).

/// Start of image, of scan, end of image.
const SOI: u8 = 0xd8;
const SOS: u8 = 0xda;
const EOI: u8 = 0xd9;
const APP1: u8 = 0xe1;

/// What the header says of the image, and what it carries beside it.
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
    /// Whether codes are arithmetic, which go on with zeros where bytes are missing.
    pub is_arithmetic: bool,
    is_progressive: bool,
    components: u8,
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
            is_arithmetic: false,
            is_progressive: false,
            components: 0,
        };
        let mut at = 2;
        loop {
            let skipped =
                bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)).ok_or_else(ended)?;
            at += skipped;
            // A marker may begin with any number of 0xff.
            at += bytes[at..].iter().position(|&byte| byte != 0xff).ok_or_else(ended)?;
            let marker = bytes[at];
            at += 1;
            match marker {
                EOI => return Err("it ends before its first scan".into()),
                0 | SOI | 0x01 | 0xd0..=0xd7 => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let length = length.ok_or_else(ended)?.max(2);
            let segment = bytes.get(at + 2..at + length).ok_or_else(ended)?;
            match marker {
                SOS => {
                    let in_scan = segment.first().copied().unwrap_or(0);
                    header.has_several_scans = header.is_progressive || in_scan != header.components;
                    return if header.components == 0 {
                        Err("its first scan comes before its frame".into())
                    } else {
                        Ok(header)
                    };
                }
                // Start of frame; 0xc4 are Huffman tables, 0xc8 is reserved, 0xcc arithmetic conditioning.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => header.read_frame(marker, segment)?,
                APP1 => {
                    header.exif = header.exif.or(segment.strip_prefix(b"Exif\0\0"));
                    header.xmp = header.xmp.or(segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0"));
                }
                _ => {}
            }
            at += length;
        }
    }

    fn read_frame(&mut self, process: u8, segment: &[u8]) -> Result<(), String> {
        let &[_, high, low, left, right, components, ..] = segment else {
            return Err("its frame header is too short".into());
        };
        self.is_arithmetic = process >= 0xc9;
        self.is_progressive = matches!(process, 0xc2 | 0xc6 | 0xca | 0xce);
        self.height = u32::from(u16::from_be_bytes([high, low]));
        self.width = u32::from(u16::from_be_bytes([left, right]));
        self.components = components;
        Ok(())
    }
}
