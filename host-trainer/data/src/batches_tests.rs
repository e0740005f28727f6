use proptest::prelude::*;

use super::super::dataset::{Contents, ImageShape, MemoryDataset};
use super::*;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 2, width: 2 };

fn set(images: usize) -> SharedDataset {
    let pixels = (0..images * SHAPE.bytes()).map(|value| (value % 256) as u8).collect();
    let labels = (0..images as u32).map(|index| index % 4).collect();
    Arc::new(MemoryDataset::new(SHAPE, (0..4).map(|class| class.to_string()).collect(), pixels, labels).unwrap())
}

fn collect(dataset: &SharedDataset, plan: BatchPlan) -> Vec<Batch> {
    Batches::new(Arc::clone(dataset), plan).unwrap().map(|batch| batch.unwrap()).collect()
}

fn augmented(batch_size: usize, epoch: u64) -> BatchPlan {
    let colours = super::super::statistics::PrincipalColours {
        axes: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        deviations: [0.2, 0.1, 0.1],
    };
    let augmentation = Augmentation { pad: 1, flip: true, colours: Some(colours), ..Augmentation::default() };
    BatchPlan { augmentation, ..BatchPlan::train(batch_size, 11, epoch) }
}

#[test]
fn evaluation_gives_every_image_once_in_order() {
    let set = set(10);
    let batches: Vec<Batch> = evaluation_batches(&set, 4).unwrap().map(|batch| batch.unwrap()).collect();
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [4, 4, 2]);
    let indices: Vec<usize> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
    assert_eq!(indices, (0..10).collect::<Vec<_>>());
    assert_eq!(batches[1].labels, [0, 1, 2, 3]);
    assert_eq!(batches[2].images[..12], set.image(8).unwrap().pixels);
    assert!(batches.iter().all(|batch| batch.colour_shift.is_empty()));
}

#[test]
fn training_shuffles_anew_each_epoch_and_drops_the_rest() {
    let set = set(103);
    let first = collect(&set, BatchPlan::train(10, 3, 0));
    let indices = |batches: &[Batch]| batches.iter().flat_map(|batch| batch.indices.clone()).collect::<Vec<usize>>();
    assert_eq!(first.len(), 10);
    let mut sorted = indices(&first);
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 100, "no image twice");
    assert_eq!(first, collect(&set, BatchPlan::train(10, 3, 0)));
    assert_ne!(indices(&first), indices(&collect(&set, BatchPlan::train(10, 3, 1))));
    assert_ne!(indices(&first), indices(&collect(&set, BatchPlan::train(10, 4, 0))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Resuming at any batch gives the bits of an epoch that was not interrupted.
    #[test]
    fn a_resumed_epoch_has_the_same_bits(images in 1usize..60, batch_size in 1usize..9, epoch: u64, stop: prop::sample::Index) {
        let set = set(images);
        prop_assume!(batch_size <= images);
        let whole = collect(&set, augmented(batch_size, epoch));
        let start = stop.index(whole.len() + 1);
        let rest = collect(&set, BatchPlan { start, prefetch: 5, ..augmented(batch_size, epoch) });
        prop_assert_eq!(&whole[start..], &rest[..]);
    }
}

#[test]
fn normalising_is_preprocessing_plus_the_colour_shift() {
    let set = set(6);
    let preprocessing = super::super::statistics::preprocessing(&*set).unwrap();
    assert_eq!(preprocessing.check(), Ok(()));
    let plain = &collect(&set, BatchPlan::evaluate(3))[1];
    for (image, values) in plain.normalized(&preprocessing).chunks_exact(SHAPE.bytes()).enumerate() {
        assert_eq!(values, preprocessing.normalize(&set.image(3 + image).unwrap().pixels));
    }
    let batch = &collect(&set, augmented(3, 0))[0];
    let shifted = batch.normalized(&preprocessing);
    for (at, value) in shifted.iter().enumerate() {
        let (image, channel, place) = (at / 12, at / 4 % 3, at % 4);
        let pixel = batch.images[image * 12 + place * 3 + channel];
        let shift = batch.colour_shift[image * 3 + channel] / preprocessing.standard_deviation[channel];
        assert_eq!(*value, preprocessing.value(channel, pixel) + shift);
    }
    assert_ne!(shifted, Batch { colour_shift: Vec::new(), ..batch.clone() }.normalized(&preprocessing));
}

/// A set whose image 5 cannot be read, or makes the reader panic.
struct Broken {
    panics: bool,
    contents: Contents,
}

impl Dataset for Broken {
    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn read(&self, index: usize, _: &mut [u8]) -> Result<()> {
        if index != 5 {
            return Ok(());
        }
        assert!(!self.panics, "image five is bewitched");
        Err(DataError::Invalid { what: "image 5", expected: "good".into(), found: "bad".into() })
    }
}

fn broken(panics: bool) -> Vec<Result<Batch>> {
    let set = Arc::new(Broken { panics, contents: Contents::new(SHAPE, vec!["x".into()], vec![0; 8]) });
    Batches::new(set, BatchPlan::evaluate(2)).unwrap().collect()
}

#[test]
fn an_error_arrives_at_its_batch_and_ends_the_epoch() {
    let results = broken(false);
    assert_eq!(results.len(), 3);
    assert!(results[..2].iter().all(Result::is_ok));
    assert!(results[2].as_ref().unwrap_err().to_string().contains("image 5"));
}

#[test]
fn a_panic_of_the_worker_is_an_error_and_not_a_short_epoch() {
    let results = broken(true);
    let error = results.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(error.contains("stopped at batch 2") && error.contains("bewitched"), "{error}");
}

#[test]
fn dropping_early_does_not_hang() {
    let mut batches = Batches::new(set(60), BatchPlan::train(1, 0, 0)).unwrap();
    assert!(batches.next().unwrap().is_ok());
    drop(batches);
}

#[test]
fn plans_that_do_not_fit_are_refused() {
    for plan in [
        BatchPlan::train(0, 0, 0),
        BatchPlan::train(11, 0, 0),
        BatchPlan { prefetch: 0, ..BatchPlan::train(2, 0, 0) },
        BatchPlan { start: 6, ..BatchPlan::train(2, 0, 0) },
    ] {
        assert!(Batches::new(set(10), plan).is_err());
    }
}
