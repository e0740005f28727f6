//! A part of the training images that is not learnt from.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Subset, split_indices};
use crate::dataset::SharedDataset;
use crate::error::{DataError, Result};
use crate::random::{Purpose, Stream};

impl Subset {
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
