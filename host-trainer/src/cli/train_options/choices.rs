//! Values of options that are one of a few words.

use clap::ValueEnum;

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ScheduleName {
    /// Divided by 10 when the error on the images that choose (see --hold-out) has not improved for --patience epochs.
    Plateau,
    /// Divided by 10 after each epoch of --milestones.
    Steps,
    /// Half a cosine, from the full rate to 0.
    Cosine,
    /// No change.
    Constant,
}

/// Which images choose the best epoch.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SelectOn {
    /// The validation split, or held-out training images: see --hold-out.
    Validation,
    /// The test split, with a warning: their accuracy is then no estimate for new images.
    Test,
}

/// The images that are too few for a whole batch.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LastBatchName {
    /// They are left out; the order is drawn anew each epoch, so each leaves out others.
    Drop,
    /// They make a smaller batch, whose mean gradient makes a training step as that of a whole one does; within --accumulate,
    /// a batch counts by its images.
    Keep,
}

/// What convolutions multiply in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PrecisionName {
    /// Single precision.
    F32,
    /// bfloat16; weights, states, sums of gradients and all other arithmetic stay in f32, and so does evaluation.
    Bf16,
}

/// Options that belong together.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Recipe {
    /// As residual networks are trained (He et al. 2016): the defaults of --batch, --learning-rate,
    /// --momentum, --weight-decay, --clip and --schedule, with the shorter side scaled to 8/7 to 15/7 of the
    /// input's (256 to 480 for 224 pixels), flip, and colour jitter where images have colours.
    Resnet,
}
