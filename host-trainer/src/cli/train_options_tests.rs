use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    train: Train,
}

/// The settings of `--data rendered` with these options.
fn settings(architecture: &str, options: &str) -> Settings {
    let fixed = ["train", "--data", "rendered", "--architecture", architecture];
    let program = Program::try_parse_from(fixed.into_iter().chain(options.split_whitespace()));
    program.unwrap_or_else(|error| panic!("{error}")).train.job().unwrap().settings
}

#[test]
fn without_options_all_is_as_documented() {
    let expected = Settings { data: "rendered".into(), ..Settings::default() };
    assert_eq!(settings("rgc-28", ""), expected);
}

#[test]
fn options_of_the_objective_are_taken() {
    let found = settings(
        "rgc-28",
        "--loss-steps 4=0.5,8 --label-smoothing 0.1 --ema-decay 0.999 --accumulate 4 --precision bf16 --sequence \
         stream-reset=2 --save-every 10",
    );
    assert_eq!(found.loss.steps, [WeightedStep { step: 4, weight: 0.5 }, WeightedStep { step: 8, weight: 1.0 }]);
    assert_eq!((found.loss.label_smoothing, found.ema_decay, found.accumulate), (0.1, Some(0.999), 4));
    assert_eq!(found.precision, Precision::Bf16);
    assert_eq!(found.sequence, Sequence::Stream { images: 2, resets: true });
    assert_eq!(found.save_every, 10.0);
}

#[test]
fn the_recipe_is_that_of_residual_networks_and_given_options_win() {
    let found = settings("rgc-6", "--recipe resnet");
    assert_eq!((found.batch, found.learning_rate, found.schedule), (128, 0.01, Schedule::Plateau { patience: 3 }));
    assert_eq!((found.optimizer.momentum, found.optimizer.clip), (0.9, 0.7));
    assert_eq!(found.optimizer.weight_decay, WeightDecay::uniform(1e-4));
    let augmentation = found.augmentation;
    assert_eq!(augmentation.short_side, Some((256, 480)), "for 224 pixels");
    assert!(augmentation.flip && augmentation.colours);
    let found = settings("rgc-28", "--recipe resnet --short-side 30,40 --batch 64");
    assert_eq!((found.augmentation.short_side, found.batch), (Some((30, 40)), 64));
    assert!(!found.augmentation.colours, "gray images have no colours to jitter");
}
