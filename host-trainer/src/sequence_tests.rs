use super::*;
use tch::{Device, Kind};

/// Images of 1x4x5 whose pixels are numbered from 1.
fn images(count: i64) -> Tensor {
    (Tensor::arange(count * 20, (Kind::Float, Device::Cpu)) + 1).view([count, 1, 4, 5])
}

fn at(tensor: &Tensor, place: [i64; 4]) -> f64 {
    tensor.double_value(&place)
}

#[test]
fn names_are_read_back() {
    for text in ["still", "shift=1.5", "stream=3", "stream-reset=4"] {
        assert_eq!(text.parse::<Sequence>().unwrap().to_string(), text);
    }
    for text in ["", "still=1", "shift", "shift=x", "stream=", "stream=1.5", "moving"] {
        assert!(text.parse::<Sequence>().unwrap_err().contains("expected still"), "{text}");
    }
}

#[test]
fn a_shifted_image_is_where_the_formula_says_and_the_mean_comes_in() {
    let presentation = Presentation { steps: 5, image_steps: 4, blank: 0.25 };
    let directions = Tensor::from_slice(&[0i64, 1, -1, 0]).view([2, 2]);
    let images = images(2);
    let frames = Sequence::Shift { pixels: 1.0 }.frames(&images, Some(&directions), &presentation).unwrap();
    // Displacements -1.5, -0.5, 0.5, 1.5 round to -2, -1, 1, 2.
    assert_eq!(
        frames.steps.iter().map(|shown| shown.image).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2), Some(3), None]
    );
    for (image, moved) in [-2i64, -1, 1, 2].into_iter().enumerate() {
        for row in 0..4 {
            for column in 0..5 {
                let expected = |row: i64, column: i64, image: i64| {
                    let inside = (0..4).contains(&row) && (0..5).contains(&column);
                    if inside { at(&images, [image, 0, row, column]) } else { 0.0 }
                };
                let frame = &frames.images[image];
                assert_eq!(at(frame, [0, 0, row, column]), expected(row, column - moved, 0), "right");
                assert_eq!(at(frame, [1, 0, row, column]), expected(row + moved, column, 1), "up");
            }
        }
    }
}

#[test]
fn a_slow_image_stays_for_several_steps_as_one_tensor() {
    let directions = Tensor::from_slice(&[1i64, 1]).view([1, 2]);
    let frames = Sequence::Shift { pixels: 0.3 }.frames(&images(1), Some(&directions), &Presentation::held(7)).unwrap();
    // -0.9, -0.6, -0.3, 0, 0.3, 0.6, 0.9
    let shown: Vec<_> = frames.steps.iter().map(|shown| shown.image.unwrap()).collect();
    assert_eq!((shown, frames.images.len()), (vec![0, 0, 1, 1, 1, 2, 2], 3));
}

#[test]
fn directions_depend_on_seed_epoch_and_image_alone() {
    let shift = Sequence::Shift { pixels: 1.0 };
    let draw = |seed, epoch, indices: &[usize]| shift.directions(seed, epoch, indices).unwrap();
    let all: Vec<usize> = (0..64).collect();
    assert_eq!(draw(1, 2, &all)[10..12], draw(1, 2, &[5])[..]);
    assert_ne!(draw(1, 2, &all), draw(1, 3, &all));
    assert_ne!(draw(1, 2, &all), draw(2, 2, &all));
    let mut seen: Vec<_> = draw(1, 2, &all).chunks(2).map(<[i64]>::to_vec).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8, "every direction occurs");
    assert!(Sequence::Still.directions(1, 2, &all).is_none());
}

#[test]
fn a_stream_shows_one_image_after_the_other() {
    let presentation = Presentation { steps: 3, image_steps: 2, blank: 0.0 };
    let stream = |resets| Sequence::Stream { images: 2, resets }.frames(&images(4), None, &presentation).unwrap();
    let frames = stream(true);
    assert_eq!(frames.batch(), 2);
    assert_eq!(
        frames.steps.iter().map(|shown| shown.image).collect::<Vec<_>>(),
        [Some(0), Some(0), None, Some(1), Some(1), None]
    );
    assert_eq!(
        frames.steps.iter().map(|shown| shown.resets).collect::<Vec<_>>(),
        [false, false, false, true, false, false]
    );
    assert!(stream(false).steps.iter().all(|shown| !shown.resets));
    // Images of one run lie one after the other: run 1 shows images 2 and 3.
    assert_eq!(at(&frames.images[0], [1, 0, 0, 0]), 41.0);
    assert_eq!(at(&frames.images[1], [1, 0, 0, 0]), 61.0);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let check = |sequence: Sequence| sequence.check(&Presentation::held(8), 28, 28).map_err(|error| error.to_string());
    check(Sequence::Shift { pixels: 4.0 }).unwrap();
    let error = check(Sequence::Shift { pixels: 4.1 }).unwrap_err();
    assert!(error.starts_with("--sequence: expected a shift above 0 and at most 4.000 pixels"), "{error}");
    assert!(check(Sequence::Shift { pixels: f64::NAN }).is_err());
    assert!(check(Sequence::Stream { images: 0, resets: false }).is_err());
    check(Sequence::Stream { images: 4, resets: true }).unwrap();
}
