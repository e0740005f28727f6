use super::super::dataset::MemoryDataset;
use super::*;

const SHAPE: ImageShape = ImageShape { channels: 3, height: 6, width: 8 };

fn set() -> MemoryDataset {
    let pixels = (0..4 * SHAPE.bytes()).map(|value| (value % 251) as u8).collect();
    MemoryDataset::new(SHAPE, vec!["x".into()], pixels, vec![0; 4]).unwrap()
}

fn apply(augmentation: &Augmentation, index: usize, seed: u64, epoch: u64) -> (Vec<u8>, [f32; 3]) {
    augmentation.check(SHAPE).unwrap();
    let mut pixels = vec![0; SHAPE.bytes()];
    let shift = augmentation.read(&set(), index, seed, epoch, &mut pixels).unwrap();
    (pixels, shift)
}

#[test]
fn none_changes_nothing() {
    assert_eq!(apply(&Augmentation::default(), 2, 1, 1), (set().image(2).unwrap().pixels, [0.0; 3]));
}

#[test]
fn the_same_names_give_the_same_change_and_others_another() {
    let colours =
        PrincipalColours { axes: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], deviations: [0.3, 0.2, 0.1] };
    let all =
        Augmentation { short_side: Some((8, 12)), pad: 1, flip: true, colours: Some(colours), fill: vec![1, 2, 3] };
    assert_eq!(apply(&all, 1, 5, 7), apply(&all, 1, 5, 7));
    assert_ne!(apply(&all, 1, 5, 7).1, apply(&all, 1, 5, 8).1);
    assert_ne!(apply(&all, 1, 5, 7).1, apply(&all, 1, 6, 7).1);
    assert_ne!(apply(&all, 1, 5, 7).1, apply(&all, 2, 5, 7).1);
}

#[test]
fn padding_shifts_and_reaches_every_offset() {
    let shifting = Augmentation { pad: 2, fill: vec![255; 3], ..Augmentation::default() };
    let original = set().image(0).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for epoch in 0..400 {
        let (pixels, _) = apply(&shifting, 0, 0, epoch);
        let offset = (-2..=2).flat_map(|top| (-2..=2).map(move |left| (top, left))).find(|&(top, left)| {
            let mut expected = vec![0; SHAPE.bytes()];
            crop_into(&original, top, left, SHAPE, &[255; 3], &mut expected);
            expected == pixels
        });
        seen.insert(offset.expect("a crop of the padded image"));
    }
    assert_eq!(seen.len(), 25);
}

#[test]
fn flips_happen_half_of_the_time_and_mirror_rows() {
    let flipping = Augmentation { flip: true, ..Augmentation::default() };
    let original = set().image(0).unwrap().pixels;
    let mut mirrored = original.clone();
    mirror(&mut mirrored, SHAPE);
    assert_eq!(mirrored[..3], original[21..24]);
    let flips = (0..1000).filter(|&epoch| {
        let (pixels, _) = apply(&flipping, 0, 0, epoch);
        assert!(pixels == original || pixels == mirrored);
        pixels == mirrored
    });
    assert!((430..570).contains(&flips.count()));
}

#[test]
fn colour_jitter_has_the_deviation_it_should() {
    let colours =
        PrincipalColours { axes: [[0.6, 0.8, 0.0], [0.8, -0.6, 0.0], [0.0, 0.0, 1.0]], deviations: [0.5, 0.0, 0.0] };
    let jitter = Augmentation { colours: Some(colours), ..Augmentation::default() };
    let shifts: Vec<[f32; 3]> = (0..4000).map(|epoch| apply(&jitter, 0, 0, epoch).1).collect();
    let deviation =
        |channel: usize| (shifts.iter().map(|s| f64::from(s[channel]).powi(2)).sum::<f64>() / 4000.0).sqrt();
    assert!((deviation(0) - 0.03).abs() < 0.002 && (deviation(1) - 0.04).abs() < 0.002);
    assert_eq!(deviation(2), 0.0);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let colours = Some(PrincipalColours { axes: [[0.0; 3]; 3], deviations: [0.0; 3] });
    let gray = ImageShape { channels: 1, height: 6, width: 8 };
    for (augmentation, shape) in [
        (Augmentation { short_side: Some((7, 9)), ..Augmentation::default() }, SHAPE),
        (Augmentation { short_side: Some((10, 9)), ..Augmentation::default() }, SHAPE),
        (Augmentation { pad: 9, ..Augmentation::default() }, SHAPE),
        (Augmentation { colours, ..Augmentation::default() }, gray),
        (Augmentation { fill: vec![0], ..Augmentation::default() }, SHAPE),
    ] {
        assert!(augmentation.check(shape).is_err(), "{augmentation:?}");
    }
}
