//! What normalisation and colour jitter need to know of a training split.

use convrnn_models::Preprocessing;
use rayon::prelude::*;

use super::dataset::{Dataset, ImageShape};
use super::error::Result;
use super::fingerprint::ImageRecord;

/// Per-channel mean and standard deviation of `pixel / 255` over all pixels of all images.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelStatistics {
    /// One mean a channel, 0 to 1.
    pub mean: Vec<f32>,
    /// One standard deviation a channel (population form), at least 1/255 so that dividing by it
    /// is safe where all images are flat.
    pub standard_deviation: Vec<f32>,
}

/// Principal axes of the colours of a training split, for Krizhevsky's jitter.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalColours {
    /// Three unit vectors (red, green, blue), the axis of largest variance first.
    pub axes: [[f64; 3]; 3],
    /// Standard deviation of `pixel / 255` along each axis.
    pub deviations: [f64; 3],
}

/// Exact integer sums over images: of each channel, and of each product of two channels.
#[derive(Clone, Copy, Default)]
struct Sums {
    pixels: u64,
    first: [u64; 3],
    second: [[u64; 3]; 3],
}

impl Sums {
    fn add_image(mut self, image: &ImageRecord) -> Sums {
        self.pixels += image.pixels;
        for row in 0..3 {
            self.first[row] += image.first[row];
            for column in row..3 {
                self.second[row][column] += image.second[row][column];
            }
        }
        self
    }

    fn merge(mut self, other: Sums) -> Sums {
        self.pixels += other.pixels;
        for row in 0..3 {
            self.first[row] += other.first[row];
            for column in row..3 {
                self.second[row][column] += other.second[row][column];
            }
        }
        self
    }

    fn mean(&self, channel: usize) -> f64 {
        self.first[channel] as f64 / self.pixels as f64 / 255.0
    }

    fn covariance(&self, row: usize, column: usize) -> f64 {
        let (row, column) = (row.min(column), row.max(column));
        let second = self.second[row][column] as f64 / self.pixels as f64 / (255.0 * 255.0);
        second - self.mean(row) * self.mean(column)
    }
}

/// Sums over a whole set; integers, so that the number of threads does not change the result.
fn sums(dataset: &dyn Dataset) -> Result<Sums> {
    (0..dataset.len())
        .into_par_iter()
        .try_fold(Sums::default, |sums, index| Ok(sums.add_image(&dataset.record(index)?)))
        .try_reduce(Sums::default, |left, right| Ok(left.merge(right)))
}

/// Mean and standard deviation of each channel of `pixel / 255`.
///
/// # Errors
/// That of an image that cannot be read.
pub fn channel_statistics(dataset: &dyn Dataset) -> Result<ChannelStatistics> {
    let sums = sums(dataset)?;
    let channels = 0..dataset.shape().channels;
    Ok(ChannelStatistics {
        mean: channels.clone().map(|channel| sums.mean(channel) as f32).collect(),
        standard_deviation: channels
            .map(|channel| sums.covariance(channel, channel).max(0.0).sqrt().max(1.0 / 255.0) as f32)
            .collect(),
    })
}

/// The preprocessing for a training split: its shape, means and standard deviations, so that its
/// normalised values have mean 0 and deviation 1 in each channel.
///
/// # Errors
/// That of an image that cannot be read.
pub fn preprocessing(training: &dyn Dataset) -> Result<Preprocessing> {
    let ImageShape { channels, height, width } = training.shape();
    let ChannelStatistics { mean, standard_deviation } = channel_statistics(training)?;
    Ok(Preprocessing { channels, height, width, mean, standard_deviation, decoding: training.decoding() })
}

/// Principal axes of the colours of all pixels; none for gray images.
///
/// Krizhevsky, Sutskever and Hinton (2012) add `alpha_k * lambda_k` along axis `k` to every pixel
/// of an image and call lambda the eigenvalue of the covariance. An eigenvalue is a squared
/// quantity, so that sum would change with the unit of the pixels; we take the square root, the
/// standard deviation along the axis.
///
/// # Errors
/// That of an image that cannot be read.
pub fn principal_colours(dataset: &dyn Dataset) -> Result<Option<PrincipalColours>> {
    if dataset.shape().channels != 3 {
        return Ok(None);
    }
    let sums = sums(dataset)?;
    let covariance = std::array::from_fn(|row| std::array::from_fn(|column| sums.covariance(row, column)));
    let (values, axes) = eigen(covariance);
    Ok(Some(PrincipalColours { axes, deviations: values.map(|value| value.max(0.0).sqrt()) }))
}

/// Eigenvalues, largest first, and unit eigenvectors of a symmetric matrix, by Jacobi rotations.
fn eigen(mut matrix: [[f64; 3]; 3]) -> ([f64; 3], [[f64; 3]; 3]) {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    // Jacobi converges quadratically: a 3x3 matrix is diagonal to the last bit after a few sweeps.
    for _ in 0..24 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if matrix[p][q] == 0.0 {
                continue;
            }
            let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
            let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
            let sine = tangent * cosine;
            for row in &mut matrix {
                let (left, right) = (row[p], row[q]);
                row[p] = cosine * left - sine * right;
                row[q] = sine * left + cosine * right;
            }
            let (upper, lower) = (matrix[p], matrix[q]);
            matrix[p] = std::array::from_fn(|column| cosine * upper[column] - sine * lower[column]);
            matrix[q] = std::array::from_fn(|column| sine * upper[column] + cosine * lower[column]);
            for row in &mut vectors {
                let (left, right) = (row[p], row[q]);
                row[p] = cosine * left - sine * right;
                row[q] = sine * left + cosine * right;
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&left, &right| matrix[right][right].total_cmp(&matrix[left][left]));
    (order.map(|at| matrix[at][at]), order.map(|at| std::array::from_fn(|row| vectors[row][at])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::dataset::MemoryDataset;
    use super::*;

    fn set(channels: usize, pixels: Vec<u8>) -> MemoryDataset {
        let shape = ImageShape { channels, height: 1, width: 2 };
        let labels = vec![0; pixels.len() / shape.bytes()];
        MemoryDataset::new(shape, vec!["x".into()], pixels, labels).unwrap()
    }

    #[test]
    fn mean_and_deviation_of_a_small_set() {
        let statistics = channel_statistics(&set(1, vec![0, 255, 51, 102])).unwrap();
        let values = [0.0, 1.0, 0.2, 0.4];
        let mean = values.iter().sum::<f64>() / 4.0;
        let deviation = (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / 4.0).sqrt();
        assert!((f64::from(statistics.mean[0]) - mean).abs() < 1e-7);
        assert!((f64::from(statistics.standard_deviation[0]) - deviation).abs() < 1e-7);
        let flat = channel_statistics(&set(1, vec![9; 4])).unwrap();
        assert_eq!(flat.standard_deviation, [1.0 / 255.0]);
    }

    #[test]
    fn gray_colours_vary_along_the_diagonal() {
        let pixels = (0..40u8).flat_map(|value| [value * 3; 3]).collect();
        let colours = principal_colours(&set(3, pixels)).unwrap().unwrap();
        let part = 1.0 / 3f64.sqrt();
        assert!(colours.axes[0].iter().all(|value| (value.abs() - part).abs() < 1e-9), "{colours:?}");
        assert!(colours.deviations[1] < 1e-6 && colours.deviations[0] > 0.1);
        assert_eq!(principal_colours(&set(1, vec![1, 2])).unwrap(), None);
    }

    proptest! {
        #[test]
        fn eigenvectors_rebuild_the_matrix(values in proptest::array::uniform6(-2.0f64..2.0)) {
            let [a, b, c, d, e, f] = values;
            let matrix = [[a, b, c], [b, d, e], [c, e, f]];
            let (eigenvalues, axes) = eigen(matrix);
            prop_assert!(eigenvalues[0] >= eigenvalues[1] && eigenvalues[1] >= eigenvalues[2]);
            for row in 0..3 { for column in 0..3 {
                let rebuilt: f64 = (0..3).map(|k| eigenvalues[k] * axes[k][row] * axes[k][column]).sum();
                prop_assert!((rebuilt - matrix[row][column]).abs() < 1e-9);
                let product: f64 = (0..3).map(|k| axes[row][k] * axes[column][k]).sum();
                prop_assert!((product - f64::from(u8::from(row == column))).abs() < 1e-9);
            }}
        }
    }
}
