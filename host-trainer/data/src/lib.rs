//! Data sets, from bytes on disk (or a seed) to shuffled, augmented batches.
//!
//! - [`Source`] reads the text after `--data` and loads a [`Split`] of a data set;
//! - [`Dataset`] is what the trainer sees: labelled u8 images of one shape;
//! - [`Share`] of the training images may be held out, alike of every class;
//! - [`Identity`] tells whether data that moved are the same;
//! - [`statistics`] measures what normalisation and colour jitter need;
//! - [`Batches`] assembles batches on a thread, in an order that a resume repeats exactly;
//! - [`DataReport`] counts and compares the images of all splits before training;
//! - [`sheet`] draws images for reports.
//!
//! Nothing here knows libtorch.

pub mod augmentation;
pub mod batch;
pub mod batches;
pub mod cluttered;
pub mod dataset;
pub mod decode;
pub mod error;
pub mod files;
pub mod fingerprint;
pub mod folder;
pub mod geometry;
pub mod identity;
pub mod idx;
pub mod kinds;
pub mod random;
pub mod rendered;
pub mod report;
pub mod sheet;
pub mod source;
pub mod statistics;
pub mod subset;
pub mod survey;
pub mod words;

pub use augmentation::Augmentation;
pub use batch::Batch;
pub use batches::{BatchPlan, Batches};
pub use cluttered::ClutteredOptions;
pub use dataset::{Contents, Dataset, ImageShape, MemoryDataset, Picture, SharedDataset, Split};
pub use error::{DataError, ImageFile, Result};
pub use folder::{FolderDataset, FolderOptions};
pub use identity::Identity;
pub use rendered::RenderedOptions;
pub use report::{DataReport, SplitReport};
pub use sheet::write_contact_sheet;
pub use source::Source;
pub use statistics::{ChannelStatistics, PrincipalColours, channel_statistics, preprocessing, principal_colours};
pub use subset::{Share, Subset};
pub use words::counted;
