use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::dataset::{ImageShape, MemoryDataset};

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
    let ordered = sample.in_order();
    assert!(ordered.indices.is_sorted());
    assert!((0..30).all(|index| ordered.label(index) == set.label(ordered.indices[index])), "labels go along");
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
