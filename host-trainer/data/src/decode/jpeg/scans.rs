//! Whether the scans of a JPEG hold all of its coefficients. A decoder takes any number of scans for the whole, and shows a
//! coarser picture, or one without its colours, where the last ones are missing.

/// Bits of a coefficient that no scan has held yet.
const NONE: u8 = u8::MAX;

/// One component of the frame.
struct Component {
    identifier: u8,
    /// By coefficient, in zigzag order: the lowest bit that a scan has held (ITU-T T.81, G.1.1.1).
    lowest: [u8; 64],
}

/// The first component, by its place in the frame from 1, of which the scans do not hold every bit of every coefficient. None
/// where all are there, and of bytes that are not understood: the decoder says what is wrong with them.
pub fn incomplete(bytes: &[u8]) -> Option<usize> {
    let mut components: Vec<Component> = Vec::new();
    let mut is_progressive = false;
    let mut at = 2;
    // Codes of a scan hold 0xff only before 0, and before restart markers.
    while let Some(marker) = next_marker(bytes, &mut at) {
        if matches!(marker, 0 | 0x01 | 0xd0..=0xd8) {
            continue;
        }
        if marker == 0xd9 {
            break;
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])).max(2);
        let segment = bytes.get(at + 2..at + length)?;
        at += length;
        match marker {
            // Start of frame; 0xc4 are Huffman tables, 0xc8 is reserved, 0xcc arithmetic conditioning.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                is_progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
                let parts = segment.get(6..)?.chunks_exact(3).take(usize::from(segment[5]));
                components = parts.map(|part| Component { identifier: part[0], lowest: [NONE; 64] }).collect();
            }
            0xda => {
                let count = usize::from(*segment.first()?);
                let &[start, end, bits] = segment.get(1 + 2 * count..4 + 2 * count)? else { return None };
                let (range, bit) =
                    if is_progressive { (usize::from(start)..usize::from(end) + 1, bits & 15) } else { (0..64, 0) };
                for part in segment[1..1 + 2 * count].chunks_exact(2) {
                    let named = components.iter_mut().find(|component| component.identifier == part[0]);
                    named?.lowest.get_mut(range.clone())?.fill(bit);
                }
            }
            _ => {}
        }
    }
    components.iter().position(|component| component.lowest.iter().any(|&bit| bit != 0)).map(|place| place + 1)
}

/// The next byte behind 0xff that is not 0xff itself; `at` is then behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    *at += bytes.get(*at..)?.iter().position(|&byte| byte == 0xff)?;
    *at += bytes[*at..].iter().position(|&byte| byte != 0xff)?;
    let marker = bytes[*at];
    *at += 1;
    Some(marker)
}
