//! An order of images whose every leading part shows the classes as the whole does.
//!
//! Images are often listed class by class, or one of each class in turn. The first images of such a list are of one class,
//! and so may be every k-th one. [`balanced`] puts them into an order that has neither fault.

use std::collections::BTreeMap;

/// Places of the items, ordered so that every leading part is stratified by class.
///
/// The order is that of Webster's method of apportionment (Sainte-Laguë), with one place for every class before the rest:
///
/// ```text
/// item number j (from 0) of a class of n items comes where (2 j + 1) / n comes, ascending; items with j = 0 come first
/// ```
///
/// So the first C items of C classes are one of each, and from then on each class has its share of the whole to within a few
/// items. With classes of equal size, every leading part holds each class equally often, to within one. Within a class, and
/// among equals, items keep the order in which they are given: shuffle them first for a random sample.
///
/// M. L. Balinski and H. P. Young, Fair Representation, 1982.
pub fn balanced<Label: Ord>(labels: &[Label]) -> Vec<usize> {
    let mut sizes: BTreeMap<&Label, u64> = BTreeMap::new();
    let numbers: Vec<u64> = labels
        .iter()
        .map(|label| {
            let size = sizes.entry(label).or_default();
            *size += 1;
            *size - 1
        })
        .collect();
    let sizes: Vec<u64> = labels.iter().map(|label| sizes[label]).collect();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    // Equal fractions keep their order, because the sort is stable.
    order.sort_by(|&left, &right| {
        let fraction = |at: usize, by: usize| u128::from(2 * numbers[at] + 1) * u128::from(sizes[by]);
        let is_later = |at: usize| numbers[at] > 0;
        is_later(left).cmp(&is_later(right)).then(fraction(left, right).cmp(&fraction(right, left)))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(labels: &[usize], order: &[usize]) -> Vec<usize> {
        let classes = labels.iter().max().map_or(0, |largest| largest + 1);
        (0..classes).map(|class| order.iter().filter(|&&place| labels[place] == class).count()).collect()
    }

    #[test]
    fn every_leading_part_of_equal_classes_is_even() {
        // By class, as files list them; and in turn, as rendered digits are.
        for labels in [(0..60).map(|at| at / 10).collect::<Vec<usize>>(), (0..60).map(|at| at % 6).collect()] {
            let order = balanced(&labels);
            for length in 1..=60 {
                let counts = counts(&labels, &order[..length]);
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(most - least <= 1, "{length}: {counts:?}");
            }
            let mut all = order;
            all.sort_unstable();
            assert_eq!(all, (0..60).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_rare_class_comes_once_at_first_and_then_by_its_share() {
        let labels: Vec<usize> = (0..1010).map(|at| if at < 600 { 0 } else { 1 + usize::from(at >= 1000) }).collect();
        let order = balanced(&labels);
        assert_eq!(counts(&labels, &order[..3]), [1, 1, 1]);
        for length in [50, 100, 101, 500, 1010] {
            let shares = counts(&labels, &order[..length]);
            for (found, of) in shares.iter().zip([600.0, 400.0, 10.0]) {
                let share = of * length as f64 / 1010.0;
                assert!((*found as f64 - share).abs() <= 1.5, "{length}: {shares:?}");
            }
        }
        // By hand: 1/3 and 1/2 of the first round, then 3/3 beside 3/2, then 5/3.
        assert_eq!(balanced(&["a", "a", "a", "b", "b"]), [0, 3, 1, 4, 2]);
        assert_eq!(balanced::<i64>(&[]), [0; 0]);
    }

    #[test]
    fn items_of_a_class_keep_their_order() {
        let labels = [5, 7, 5, 7, 7, 5];
        let order = balanced(&labels);
        for class in [5, 7] {
            let places: Vec<usize> = order.iter().copied().filter(|&place| labels[place] == class).collect();
            assert!(places.is_sorted(), "{places:?}");
        }
    }
}
