//! What shows through transparent pixels.

use image::{DynamicImage, RgbImage};

/// Composites a picture that has alpha on a colour, all in 8 bits: `(alpha * pixel + (255 - alpha) * background) / 255`,
/// rounded to the nearest value. Without a background, alpha is dropped and the stored colours stay.
pub fn flatten(image: DynamicImage, background: Option<[u8; 3]>) -> DynamicImage {
    let (Some(background), true) = (background, image.color().has_alpha()) else {
        return image;
    };
    let pixels = image.into_rgba8();
    let flat = RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [red, green, blue, alpha] = pixels.get_pixel(x, y).0;
        let [below_red, below_green, below_blue] = background;
        image::Rgb([over(red, below_red, alpha), over(green, below_green, alpha), over(blue, below_blue, alpha)])
    });
    DynamicImage::ImageRgb8(flat)
}

fn over(above: u8, below: u8, alpha: u8) -> u8 {
    let (above, below, alpha) = (u32::from(above), u32::from(below), u32::from(alpha));
    ((above * alpha + below * (255 - alpha) + 127) / 255) as u8
}
