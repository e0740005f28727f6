//! Parts of a data set: random samples, and a validation part held out of training.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use convrnn_models::Decoding;
use convrnn_models::sampling::balanced;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, ImageShape, Picture, SharedDataset};
use super::error::{DataError, Result};
use super::fingerprint::ImageRecord;
use super::random::{Purpose, Stream};

/// Some of the images of another data set, in a given order.
#[derive(Clone)]
pub struct Subset {
    inner: SharedDataset,
    indices: Vec<usize>,
}

impl Subset {
    /// The images at `indices`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when an index is past the end or there is none.
    pub fn new(inner: SharedDataset, indices: Vec<usize>) -> Result<Self> {
        let length = inner.len();
        if indices.is_empty() || indices.iter().any(|&index| index >= length) {
            return Err(DataError::Invalid {
                what: "indices of a subset",
                expected: format!("at least one, all below {length}"),
                found: format!("{} indices, the largest {:?}", indices.len(), indices.iter().max()),
            });
        }
        Ok(Subset { inner, indices })
    }

    /// `count` images drawn without replacement, in the order of the set; the same for the same
    /// seed. Files often list images class by class, so a leading part would miss classes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when `count` is 0 or larger than the set.
    pub fn sample(inner: SharedDataset, count: usize, seed: u64) -> Result<Self> {
        let (mut chosen, _) = split_indices(inner.len(), count, seed)?;
        chosen.sort_unstable();
        Subset::new(inner, chosen)
    }

    /// `count` images drawn without replacement, every class in its share and every class at least once where `count`
    /// allows; the same for the same seed. Every leading part shows the classes alike ([`balanced`]), and the images of
    /// a smaller count lead those of a larger one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when `count` is 0 or larger than the set.
    pub fn stratified(inner: SharedDataset, count: usize, seed: u64) -> Result<Self> {
        check_count(inner.len(), count)?;
        let mut indices: Vec<usize> = (0..inner.len()).collect();
        Stream::new(seed, Purpose::Subset, 1, 0).shuffle(&mut indices);
        let labels: Vec<usize> = indices.iter().map(|&index| inner.label(index)).collect();
        let chosen = balanced(&labels).into_iter().take(count).map(|place| indices[place]).collect();
        Subset::new(inner, chosen)
    }

    /// The same images in the order of the whole set.
    pub fn in_order(mut self) -> Self {
        self.indices.sort_unstable();
        self
    }

    /// Splits a set into (the rest, `count` held out), disjoint, the same for the same seed, whatever the classes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when either part would be empty.
    pub fn hold_out(inner: SharedDataset, count: usize, seed: u64) -> Result<(Self, Self)> {
        let (mut held_out, mut rest) = split_indices(inner.len(), count, seed)?;
        held_out.sort_unstable();
        rest.sort_unstable();
        Ok((Subset::new(Arc::clone(&inner), rest)?, Subset::new(inner, held_out)?))
    }

    /// Splits a set into (the rest, `count` held out), disjoint, both in the order of the set, the same for the same seed: for
    /// a validation part where the data set has none. Every class gives its share to within one image and keeps at least
    /// one; with many classes of one image there are fewer than `count`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when `count` is 0 or the whole set, or no class can give an image.
    pub fn hold_out_by_class(inner: SharedDataset, count: usize, seed: u64) -> Result<(Self, Self)> {
        let mut classes = vec![Vec::new(); inner.class_names().len()];
        (0..inner.len()).for_each(|index| classes[inner.label(index)].push(index));
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let counts = if count < inner.len() { apportion(&sizes, count) } else { Vec::new() };
        if counts.iter().all(|&count| count == 0) {
            return Err(DataError::Invalid {
                what: "number of training images to hold out",
                expected: format!("1 or more, and so few that each class keeps one of the {} images", inner.len()),
                found: count.to_string(),
            });
        }
        let (mut held_out, mut rest) = (Vec::new(), Vec::new());
        for (class, (mut indices, count)) in classes.into_iter().zip(counts).enumerate() {
            Stream::new(seed, Purpose::HoldOut, class as u64, 0).shuffle(&mut indices);
            rest.extend(indices.split_off(count));
            held_out.extend(indices);
        }
        held_out.sort_unstable();
        rest.sort_unstable();
        Ok((Subset::new(Arc::clone(&inner), rest)?, Subset::new(inner, held_out)?))
    }
}

/// How many images are held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub enum Share {
    /// So many; 0 for none.
    Images(usize),
    /// So many of a hundred, more than 0 and less than 100.
    Percent(f64),
}

/// A share as files have it: `600`, `"600"` or `"10%"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(usize),
    Text(String),
}

impl TryFrom<Text> for Share {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        match text {
            Text::Number(images) => Ok(Share::Images(images)),
            Text::Text(text) => text.parse(),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> String {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Images(images) => write!(formatter, "{images}"),
            Share::Percent(percent) => write!(formatter, "{percent}%"),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.trim().strip_suffix('%') {
            Some(percent) => {
                percent.trim().parse().ok().filter(|percent| *percent > 0.0 && *percent < 100.0).map(Share::Percent)
            }
            None => text.trim().parse().ok().map(Share::Images),
        };
        share.ok_or_else(|| {
            format!("expected a number of images (600) or a share (10%, between 0% and 100%), found `{text}`")
        })
    }
}

impl Share {
    /// Number of images of a set of `total`: a percentage is rounded, to 1 at least.
    pub fn of(self, total: usize) -> usize {
        match self {
            Share::Images(images) => images,
            Share::Percent(percent) => ((total as f64 * percent / 100.0).round() as usize).max(1),
        }
    }
}

/// How many images of each class are held out so that there are `count` in all, which is less than all.
///
/// With `n` the images of a class and `N` those of all, the share of a class is `count * n / N`. Each class gives its share
/// rounded down; those with the largest remainders (the first class of several) give one more until there are enough. So each
/// gives its share to within one image. One image of each class stays, to learn from: with many classes of one image there are
/// fewer than `count`.
fn apportion(sizes: &[usize], count: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let share = |class: usize| count as u128 * sizes[class] as u128;
    let mut counts: Vec<usize> = (0..sizes.len()).map(|class| (share(class) / total) as usize).collect();
    let missing = count.saturating_sub(counts.iter().sum());
    let may_give = |&class: &usize| share(class) % total > 0 && counts[class] + 1 < sizes[class];
    let mut may_give: Vec<usize> = (0..sizes.len()).filter(may_give).collect();
    may_give.sort_by_key(|&class| Reverse(share(class) % total));
    may_give.into_iter().take(missing).for_each(|class| counts[class] += 1);
    counts
}

fn check_count(length: usize, count: usize) -> Result<()> {
    if count == 0 || count > length {
        return Err(DataError::Invalid {
            what: "number of images to draw",
            expected: format!("1 to {length}"),
            found: count.to_string(),
        });
    }
    Ok(())
}

fn split_indices(length: usize, count: usize, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    check_count(length, count)?;
    let mut indices: Vec<usize> = (0..length).collect();
    Stream::new(seed, Purpose::Subset, 0, 0).shuffle(&mut indices);
    let rest = indices.split_off(count);
    Ok((indices, rest))
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }

    fn shape(&self) -> ImageShape {
        self.inner.shape()
    }

    fn label(&self, index: usize) -> usize {
        self.inner.label(self.indices[index])
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(self.indices[index])
    }

    fn place(&self, index: usize) -> usize {
        self.inner.place(self.indices[index])
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        self.inner.read(self.indices[index], pixels)
    }

    fn original(&self, index: usize) -> Result<Picture> {
        self.inner.original(self.indices[index])
    }

    fn decoding(&self) -> Decoding {
        self.inner.decoding()
    }

    fn left_out(&self) -> BTreeMap<String, usize> {
        self.inner.left_out()
    }

    fn record(&self, index: usize) -> Result<ImageRecord> {
        self.inner.record(self.indices[index])
    }

    /// Looks at the whole set only where most of it is wanted.
    fn look_at_all(&self) -> Result<()> {
        if 2 * self.len() >= self.inner.len() { self.inner.look_at_all() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::MemoryDataset;
    use super::*;
    use proptest::prelude::*;

    fn counting(images: u32) -> MemoryDataset {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let pixels = (0..2 * images).map(|value| value as u8).collect();
        let labels = (0..images).map(|index| index % 3).collect();
        MemoryDataset::new(shape, vec!["a".into(), "b".into(), "c".into()], pixels, labels).unwrap()
    }

    #[test]
    fn hold_out_is_a_partition_and_repeats() {
        let set: SharedDataset = Arc::new(counting(60));
        let (rest, held) = Subset::hold_out(Arc::clone(&set), 20, 5).unwrap();
        let mut all: Vec<usize> = rest.indices.iter().chain(&held.indices).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert_eq!(Subset::hold_out(Arc::clone(&set), 20, 5).unwrap().1.indices, held.indices);
        assert_ne!(Subset::hold_out(Arc::clone(&set), 20, 6).unwrap().1.indices, held.indices);
        assert_eq!(held.image(3).unwrap(), set.image(held.indices[3]).unwrap());
        assert_eq!(held.label(3), set.label(held.indices[3]));
        assert_eq!(held.name(3), held.indices[3].to_string());
        assert!(Subset::sample(set, 61, 0).is_err());
    }

    #[test]
    fn a_stratified_sample_shows_every_class_from_the_first_images_on() {
        let set: SharedDataset = Arc::new(counting(60));
        let sample = Subset::stratified(Arc::clone(&set), 30, 4).unwrap();
        // Rendered sets cycle through their classes, so that every k-th image is of few of them.
        for length in 1..=30 {
            let of = |class| (0..length).filter(|&index| sample.label(index) == class).count();
            let counts = [of(0), of(1), of(2)];
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{length}: {counts:?}");
        }
        let indices = |count, seed| Subset::stratified(Arc::clone(&set), count, seed).unwrap().indices;
        assert_eq!(indices(30, 4), sample.indices);
        assert_eq!(indices(12, 4), sample.indices[..12]);
        assert_ne!(indices(30, 5), sample.indices);
        let mut all = indices(60, 4);
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert!(sample.in_order().indices.is_sorted());
        assert!(Subset::stratified(Arc::clone(&set), 61, 0).is_err() && Subset::stratified(set, 0, 0).is_err());
    }

    #[test]
    fn places_are_those_in_the_whole_set_through_copies_and_samples() {
        let set: SharedDataset = Arc::new(counting(60));
        let part = Subset::new(set, vec![7, 3, 50]).unwrap();
        let copy: SharedDataset = Arc::new(MemoryDataset::read_all(&part).unwrap());
        let again = Subset::new(copy, vec![2, 0]).unwrap();
        assert_eq!([again.place(0), again.place(1)], [50, 7]);
        assert_eq!([again.name(0), again.name(1)], ["50", "7"]);
    }

    fn labelled(labels: Vec<u32>, classes: usize) -> SharedDataset {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let names = (0..classes).map(|class| class.to_string()).collect();
        Arc::new(MemoryDataset::new(shape, names, vec![0; labels.len()], labels).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Whatever the classes' sizes and order: a partition of exactly that many images, each class's part its share to
        /// within one image, one of every class left, the same for the same seed.
        #[test]
        fn what_is_held_out_is_a_stratified_partition(
            labels in proptest::collection::vec(prop_oneof![4 => 0u32..3, 1 => 3u32..7], 8..200),
            percent in 1u32..95,
            seed in 0u64..1000,
        ) {
            let set = labelled(labels.clone(), 7);
            let count = Share::Percent(f64::from(percent)).of(labels.len());
            let sizes: Vec<usize> = (0..7).map(|class| labels.iter().filter(|&&label| label == class).count()).collect();
            let single = sizes.iter().filter(|&&size| size == 1).count();
            let Ok((rest, held)) = Subset::hold_out_by_class(Arc::clone(&set), count, seed) else {
                prop_assert!(count <= 7 && single > 0 || count == labels.len(), "{count} of {sizes:?} refused");
                return Ok(());
            };
            prop_assert!(held.len() <= count && held.len() + 7 > count);
            // Exactly so many where rounding up takes no class its last image.
            if sizes.iter().all(|&size| size == 0 || count * size < (size - 1) * labels.len()) {
                prop_assert_eq!(held.len(), count);
            }
            let mut all = [rest.indices.clone(), held.indices.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for class in 0..7 {
                let of = |subset: &Subset| subset.indices.iter().filter(|&&index| labels[index] == class).count();
                let size = sizes[class as usize];
                prop_assert_eq!(of(&rest) + of(&held), size);
                let share = count as f64 * size as f64 / labels.len() as f64;
                prop_assert!((of(&held) as f64 - share).abs() < 1.0, "class {class}: {} of {size}, share {share}", of(&held));
                prop_assert!(size == 0 || of(&rest) > 0);
            }
            let (_, again) = Subset::hold_out_by_class(set, count, seed).unwrap();
            prop_assert_eq!(again.indices, held.indices);
        }
    }

    #[test]
    fn held_out_images_are_drawn_by_seed_and_too_many_are_refused() {
        let set = labelled((0..300).map(|index| index / 100).collect(), 3);
        let held = |seed| Subset::hold_out_by_class(Arc::clone(&set), 31, seed).unwrap().1.indices;
        assert_ne!(held(1), held(2));
        let of = |class: usize| held(1).into_iter().filter(|index| index / 100 == class).count();
        assert_eq!([of(0), of(1), of(2)], [11, 10, 10]);
        for count in [297, 299] {
            assert_eq!(
                Subset::hold_out_by_class(Arc::clone(&set), count, 1).unwrap().0.len(),
                3,
                "one of each class stays"
            );
        }
        for count in [0, 300, 1000] {
            let error = Subset::hold_out_by_class(Arc::clone(&set), count, 1).err().unwrap().to_string();
            assert!(error.contains("each class keeps one") && error.ends_with(&format!("found {count}")), "{error}");
        }
    }

    #[test]
    fn shares_are_read_and_written() {
        for (text, expected) in [
            ("600", Share::Images(600)),
            ("0", Share::Images(0)),
            ("10%", Share::Percent(10.0)),
            (" 2.5 % ", Share::Percent(2.5)),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!(share, expected);
            assert_eq!(share.to_string().parse(), Ok(expected));
        }
        for text in ["", "%", "0%", "100%", "-3", "ten", "NaN%", "1.5"] {
            let error = text.parse::<Share>().unwrap_err();
            assert!(error.contains("expected a number of images (600) or a share (10%"), "{error}");
        }
        assert_eq!([Share::Percent(10.0).of(192), Share::Percent(10.0).of(3), Share::Images(7).of(3)], [19, 1, 7]);
    }
}
