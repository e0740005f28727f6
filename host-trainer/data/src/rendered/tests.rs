use super::super::dataset::Dataset;
use super::*;

fn small() -> RenderedOptions {
    RenderedOptions { train: 60, test: 60, ..RenderedOptions::default() }
}

/// Fowler, Noll and Vo's 64-bit hash (FNV-1a).
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn an_image_depends_on_seed_split_and_index_only() {
    let all = small().render(Split::Train).unwrap();
    let fewer = RenderedOptions { train: 7, ..small() }.render(Split::Train).unwrap();
    assert_eq!(all.pixels()[..7 * 784], *fewer.pixels());
    let test = small().render(Split::Test).unwrap();
    let reseeded = RenderedOptions { seed: 2, ..small() }.render(Split::Train).unwrap();
    for index in 0..60 {
        let image = all.image(index).unwrap();
        assert_ne!(image, test.image(index).unwrap());
        assert_ne!(image, reseeded.image(index).unwrap());
        assert_eq!(all.label(index), index % 10);
    }
}

#[test]
fn the_drawing_is_the_same_on_every_machine() {
    let all = small().render(Split::Train).unwrap();
    assert_eq!(fingerprint(all.pixels()), FINGERPRINT, "pixels changed: {:#x}", fingerprint(all.pixels()));
}

#[test]
fn difficulty_zero_shows_only_the_digit() {
    let plain = RenderedOptions { clutter: 0, occluders: 0, noise: 0, shift: 0, rotation: 0, warp: 0, ..small() };
    let set = plain.render(Split::Test).unwrap();
    for index in 0..set.len() {
        let pixels = set.image(index).unwrap().pixels;
        let (low, high) = (pixels.iter().min().unwrap(), pixels.iter().max().unwrap());
        assert!(*low <= 70 && *high >= 140);
        let border = (0..28).flat_map(|at| [pixels[at], pixels[27 * 28 + at]]);
        assert!(border.into_iter().all(|value| value == *low), "the digit stays inside");
    }
}

#[test]
fn options_out_of_range_are_refused() {
    for options in [
        RenderedOptions { classes: 11, ..small() },
        RenderedOptions { size: 8, ..small() },
        RenderedOptions { test: 0, ..small() },
        RenderedOptions { noise: 101, ..small() },
    ] {
        assert!(options.render(Split::Train).is_err());
    }
}

#[test]
fn other_sizes_and_the_strongest_distortions_render() {
    let wild = RenderedOptions {
        size: 128,
        clutter: 32,
        occluders: 16,
        noise: 100,
        shift: 30,
        rotation: 60,
        warp: 60,
        train: 20,
        ..small()
    };
    assert_eq!(wild.render(Split::Train).unwrap().shape().height, 128);
    assert_eq!(RenderedOptions { size: 16, classes: 2, ..small() }.render(Split::Test).unwrap().class_names().len(), 2);
}

const FINGERPRINT: u64 = 0x01e2_59e9_9265_f12c;
