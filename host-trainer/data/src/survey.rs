//! Every image of a set looked at once: which cannot be decoded, and the records of the others.

use rayon::prelude::*;

use super::dataset::Dataset;
use super::error::{DataError, Result};
use super::files::cache::{self, ArchiveState, Reader, Writer};
use super::fingerprint::ImageRecord;

/// Sets of fewer images are looked at again faster than it is worth to keep what was found.
const LEAST_IMAGES: usize = 20_000;
/// First bytes of a kept survey; the number is that of its form.
const FORM: &[u8; 8] = b"CRNNSRV1";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// One for each image; without meaning for damaged ones.
    pub records: Vec<ImageRecord>,
    /// Images that cannot be decoded, by index, with the decoder's reason.
    pub damaged: Vec<(usize, String)>,
}

const NOTHING: ImageRecord =
    ImageRecord { fingerprint: 0, lowest: 0, highest: 0, pixels: 0, first: [0; 3], second: [[0; 3]; 3] };

impl Survey {
    /// Decodes every image, on all threads, or takes what was kept of an archive in the same state. `aspect` says which
    /// images of it these are, and how they are decoded.
    ///
    /// # Errors
    /// That of the first image, by index, that cannot be read for another reason than damage.
    pub fn of(dataset: &dyn Dataset, state: Option<&ArchiveState>, aspect: &str) -> Result<Self> {
        let place = state.zip(cache::folder()).filter(|_| dataset.len() >= LEAST_IMAGES);
        if let Some((state, folder)) = &place
            && let Some(survey) = cache::kept(folder, FORM, state, aspect).and_then(|bytes| Survey::from_bytes(&bytes))
            && survey.records.len() == dataset.len()
        {
            return Ok(survey);
        }
        let survey = Survey::make(dataset)?;
        if let Some((state, folder)) = place {
            cache::keep(&folder, FORM, state, aspect, survey.to_bytes());
        }
        Ok(survey)
    }

    fn make(dataset: &dyn Dataset) -> Result<Self> {
        let look = |index| match dataset.record(index) {
            Err(DataError::CorruptImage { reason, .. }) => Ok((NOTHING, Some((index, reason)))),
            other => other.map(|record| (record, None)),
        };
        // All of them, so that of several errors the first image's is told.
        let looked: Vec<Result<_>> = (0..dataset.len()).into_par_iter().map(look).collect();
        let mut survey = Survey { records: Vec::with_capacity(looked.len()), damaged: Vec::new() };
        for image in looked {
            let (record, damage) = image?;
            survey.records.push(record);
            survey.damaged.extend(damage);
        }
        Ok(survey)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Writer::default();
        bytes.number(self.records.len() as u64);
        for record in &self.records {
            let ImageRecord { fingerprint, lowest, highest, pixels, first, second } = record;
            bytes.number(*fingerprint);
            bytes.0.extend([*lowest, *highest]);
            bytes.number(*pixels);
            first.iter().chain(second.as_flattened()).for_each(|&sum| bytes.number(sum));
        }
        bytes.number(self.damaged.len() as u64);
        for (index, reason) in &self.damaged {
            bytes.number(*index as u64);
            bytes.text(reason);
        }
        bytes.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let count = rest.number()? as usize;
        let mut survey = Survey { records: Vec::with_capacity(count.min(bytes.len())), damaged: Vec::new() };
        for _ in 0..count {
            let mut record = NOTHING;
            record.fingerprint = rest.number()?;
            [record.lowest, record.highest] = rest.array()?;
            record.pixels = rest.number()?;
            for sum in record.first.iter_mut().chain(record.second.as_flattened_mut()) {
                *sum = rest.number()?;
            }
            survey.records.push(record);
        }
        for _ in 0..rest.number()? {
            survey.damaged.push((rest.number()? as usize, rest.text()?.into()));
        }
        rest.0.is_empty().then_some(survey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_torn_bytes_do_not() {
        let record = ImageRecord::of(&[1, 2, 3, 250, 0, 9], 3);
        let survey = Survey { records: vec![record, NOTHING], damaged: vec![(1, "cut short".into())] };
        let bytes = survey.to_bytes();
        assert_eq!(Survey::from_bytes(&bytes), Some(survey));
        for length in 0..bytes.len() {
            assert_eq!(Survey::from_bytes(&bytes[..length]), None);
        }
    }
}
