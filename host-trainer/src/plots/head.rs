//! What stands above the axes: title, note and legend. There the legend hides no point, whatever the points are.

use plotters::prelude::*;

/// Part of an image.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
/// What drawing can fail with.
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Colours that are told apart by most readers with colour vision deficiencies (Okabe and Ito 2008),
/// gray last.
pub(super) const COLOURS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 75, 0),
    RGBColor(110, 60, 180),
    RGBColor(130, 130, 130),
];

/// Left and right of everything, in pixels.
const MARGIN: i32 = 14;
const TITLE: (i32, i32) = (18, 26);
const NOTE: (i32, i32) = (14, 18);
const ROW: (i32, i32) = (15, 20);
/// A sample of the line or mark, and the gap after it.
const SAMPLE: i32 = 26;
/// Between entries.
const GAP: i32 = 18;
/// Longest name, in characters; longer ones are cut.
const LONGEST: usize = 40;

/// How a legend shows its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A line with a point.
    Line,
    /// A circle.
    Circle,
    /// A triangle.
    Triangle,
}

/// A name in the legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    pub colour: RGBColor,
    pub mark: Mark,
}

/// Title, note and legend of one chart, laid out for a width.
pub(super) struct Head<'a> {
    title: &'a str,
    note: Option<&'a str>,
    /// Entries with their places, `(x, row)`.
    placed: Vec<(Entry, i32, i32)>,
}

/// Estimated width of a text, in pixels: plotters sets type at 1 / 1.24 of the size it is given, and a letter of a
/// sans-serif face is at most 0.62 of that wide on average. Letters of East Asian scripts are twice as wide.
fn width(text: &str, size: i32) -> i32 {
    let letters: usize = text.chars().map(|letter| if u32::from(letter) < 0x1100 { 1 } else { 2 }).sum();
    (letters as f64 * 0.62 * f64::from(size) / 1.24).ceil() as i32
}

/// A text that is at most so wide, cut where it is wider.
fn fitted(text: &str, size: i32, most: i32) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        if width(&format!("{cut}{letter}…"), size) > most {
            break;
        }
        cut.push(letter);
    }
    cut + "…"
}

impl<'a> Head<'a> {
    /// Entries flow from left to right, in as many rows as they need.
    pub(super) fn new(title: &'a str, note: Option<&'a str>, entries: Vec<Entry>, across: u32) -> Self {
        let across = across as i32;
        let most = (across - 2 * MARGIN - SAMPLE).min(width(&"m".repeat(LONGEST), ROW.0));
        let (mut x, mut row) = (MARGIN, 0);
        let mut placed = Vec::new();
        for mut entry in entries {
            entry.name = fitted(&entry.name, ROW.0, most);
            let needed = SAMPLE + width(&entry.name, ROW.0);
            if x > MARGIN && x + needed > across - MARGIN {
                (x, row) = (MARGIN, row + 1);
            }
            placed.push((entry, x, row));
            x += needed + GAP;
        }
        Self { title, note, placed }
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> u32 {
        let rows = self.placed.last().map_or(0, |(_, _, row)| row + 1);
        (8 + TITLE.1 + if self.note.is_some() { NOTE.1 } else { 0 } + rows * ROW.1) as u32
    }

    /// Draws into the upper part of an area.
    pub(super) fn draw(&self, area: &Area) -> Result<(), DrawError> {
        let most = area.dim_in_pixel().0 as i32 - 2 * MARGIN;
        let text = |text: &str, place: (i32, i32), size: i32| {
            area.draw(&Text::new(fitted(text, size, most), place, ("sans-serif", size)))
        };
        let mut y = 8;
        text(self.title, (MARGIN, y), TITLE.0)?;
        y += TITLE.1;
        if let Some(note) = self.note {
            text(note, (MARGIN, y), NOTE.0)?;
            y += NOTE.1;
        }
        for (entry, x, row) in &self.placed {
            let top = y + row * ROW.1;
            let centre = (x + 9, top + 6);
            match entry.mark {
                Mark::Line => {
                    let line = vec![(x - 1, centre.1), (x + 19, centre.1)];
                    area.draw(&PathElement::new(line, entry.colour.stroke_width(2)))?;
                    area.draw(&Circle::new(centre, 3, entry.colour.filled()))?;
                }
                Mark::Circle => area.draw(&Circle::new(centre, 5, entry.colour.filled()))?,
                Mark::Triangle => area.draw(&TriangleMarker::new(centre, 6, entry.colour.filled()))?,
            }
            text(&entry.name, (x + SAMPLE, top), ROW.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry { name: (*name).into(), colour: COLOURS[0], mark: Mark::Line };
        names.iter().map(entry).collect()
    }

    #[test]
    fn entries_flow_and_none_leaves_the_width() {
        let long = "n02123045_tabby_cat_of_a_very_long_name_that_nobody_reads";
        let names = ["airplane", "automobile", "bird", long, "deer", "dog", long, "horse", "ship", "truck"];
        let head = Head::new("title", Some("note"), entries(&names), 640);
        for (number, (entry, x, row)) in head.placed.iter().enumerate() {
            assert!(*x >= MARGIN && x + SAMPLE + width(&entry.name, ROW.0) <= 640 - MARGIN, "{entry:?} at {x}");
            for (other, left, other_row) in &head.placed[..number] {
                let is_apart = row != other_row || left + SAMPLE + width(&other.name, ROW.0) <= *x;
                assert!(is_apart, "{entry:?} and {other:?}");
            }
        }
        assert!(head.placed[3].0.name.ends_with('…') && long.starts_with(head.placed[3].0.name.trim_end_matches('…')));
        let rows = head.placed.last().unwrap().2 + 1;
        assert_eq!(head.height(), (8 + TITLE.1 + NOTE.1 + rows * ROW.1) as u32);
        assert_eq!(Head::new("title", None, Vec::new(), 640).height(), (8 + TITLE.1) as u32);
    }
}
