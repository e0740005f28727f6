//! `folder:PATH` and its options.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use convrnn_models::Decoding;

use super::options::Options;
use crate::dataset::{Dataset, SharedDataset, Split};
use crate::error::{DataError, Result};
use crate::files::{Listing, SharedListing};
use crate::folder::{self, FolderDataset, FolderOptions, WHITE};

/// An image folder or archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSource {
    pub path: PathBuf,
    pub options: FolderOptions,
    /// Decode when read, whatever the size.
    pub lazy: bool,
    /// Whether the text says what is behind alpha, and what is done with orientation.
    given: (bool, bool),
    skip_damaged: bool,
    /// Take every image, whatever its folder is called.
    is_unlabelled: bool,
    listing: Memo,
}

/// The list, made once for all splits. Two sources are the same whether or not they have been read.
#[derive(Debug, Clone, Default)]
struct Memo(Arc<OnceLock<SharedListing>>);

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

impl FolderSource {
    pub fn parse(path: PathBuf, options: &mut Options<'_>) -> Result<Self> {
        let mut folder = FolderOptions::default();
        folder.channels = options.number("channels", folder.channels)?;
        folder.size = options.optional("size")?;
        folder.short = options.optional("short")?;
        let lazy = options.choice("decode", &["now", "lazy"])? == Some(1);
        let background = options.take("background").map(|text| background(text, options)).transpose()?;
        let orientation = options.choice("orientation", &["keep", "apply"])?;
        let skip_damaged = options.choice("skip-damaged", &["no", "yes"])? == Some(1);
        let is_unlabelled = options.choice("labels", &["folders", "none"])? == Some(1);
        let given = (background.is_some(), orientation.is_some());
        folder.decoding.background = background.unwrap_or(folder.decoding.background);
        folder.decoding.apply_orientation = orientation.map_or(folder.decoding.apply_orientation, |choice| choice == 1);
        Ok(FolderSource { path, options: folder, lazy, given, skip_damaged, is_unlabelled, listing: Memo::default() })
    }

    /// The same images, should they lie where the other source's lie.
    pub fn moved_to(&self, other: &Self) -> Self {
        FolderSource { path: other.path.clone(), lazy: other.lazy, given: other.given, ..self.clone() }
    }

    /// Options that make the decoding the recorded one, as far as they are not given and differ from it.
    pub fn missing_options(&self, recorded: &Decoding) -> String {
        let mut options = String::new();
        let own = self.options.decoding;
        if !self.given.0 && own.background != recorded.background {
            options += &match recorded.background {
                Some([red, green, blue]) => format!(",background={red}/{green}/{blue}"),
                None => ",background=none".into(),
            };
        }
        if !self.given.1 && own.apply_orientation != recorded.apply_orientation {
            options += if recorded.apply_orientation { ",orientation=apply" } else { ",orientation=keep" };
        }
        options
    }

    fn listing(&self) -> Result<SharedListing> {
        if let Some(listing) = self.listing.0.get() {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(Listing::open(&self.path)?);
        Ok(Arc::clone(self.listing.0.get_or_init(|| listing)))
    }

    pub fn has(&self, split: Split) -> Result<bool> {
        let listing = self.listing()?;
        Ok(!self.is_unlabelled && folder::splits(&listing).contains(&split))
    }

    pub fn open(&self, split: Split) -> Result<FolderDataset> {
        if self.is_unlabelled {
            return Err(DataError::Split {
                path: self.path.clone(),
                wanted: split.name(),
                expected: "labels=folders".into(),
                found: "labels=none, which has images without classes and no splits".into(),
                hint: "leave the option out",
            });
        }
        self.checked(FolderDataset::of_listing(&self.listing()?, split, self.options)?)
    }

    /// Every image where there are no splits, or none are wanted.
    pub fn open_unlabelled(&self) -> Result<Option<SharedDataset>> {
        let listing = self.listing()?;
        if !self.is_unlabelled && !folder::splits(&listing).is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.checked(FolderDataset::unlabelled(&listing, self.options)?)?)))
    }

    fn checked(&self, set: FolderDataset) -> Result<FolderDataset> {
        if self.skip_damaged { set.without_damaged() } else { Ok(set) }
    }

    /// Adds the damaged files of the other splits to those that were found, so that all are told at once.
    pub fn with_other_splits(&self, split: Split, error: DataError) -> DataError {
        let DataError::DamagedImages { mut files, mut images } = error else {
            return error;
        };
        for other in Split::ALL.into_iter().filter(|&other| other != split) {
            // What else may be wrong there is told when it is its turn.
            let Ok(set) = self.open(other) else { continue };
            images += set.len();
            if let Err(DataError::DamagedImages { files: more, .. }) = set.look_at_all() {
                files.extend(more);
            }
        }
        DataError::damaged(files, images)
    }
}

/// A colour by name, as `R/G/B` or as `#rrggbb`; none where alpha is dropped.
fn background(text: &str, options: &Options<'_>) -> Result<Option<[u8; 3]>> {
    let hexadecimal = || {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some([red, green, blue])
    };
    let numbers = || {
        let values: Vec<u8> = text.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
        <[u8; 3]>::try_from(values).ok()
    };
    match text {
        "none" => Ok(None),
        "white" => Ok(Some(WHITE)),
        "black" => Ok(Some([0; 3])),
        "gray" => Ok(Some([128; 3])),
        _ => match numbers().or_else(hexadecimal) {
            Some(colour) => Ok(Some(colour)),
            None => Err(options.wrong(format!(
                "background=`{text}`: expected white, black, gray, none, or red, green and blue as R/G/B (0 to 255 each) \
                 or #rrggbb"
            ))),
        },
    }
}
