use super::*;
use crate::executor::Precision;
use crate::optimizer::WeightDecay;
use crate::schedule::Schedule;
use crate::selection::Selection;
use crate::settings::Settings;
use crate::training::Changes;
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

#[test]
fn a_resumed_run_takes_no_option_of_a_new_one() {
    use clap::CommandFactory;
    let command = Program::command();
    let argument = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id).unwrap();
    let refused = command.get_arg_conflicts_with(argument("resume"));
    for other in command.get_arguments() {
        let is_refused = refused.iter().any(|argument| argument.get_id() == other.get_id());
        // Data may have moved, and more epochs may follow.
        let may_change = ["resume", "data", "epochs"].contains(&other.get_id().as_str());
        assert_eq!(is_refused, !may_change, "--{}", other.get_id());
    }
    let error = Program::try_parse_from(["train", "--resume", "run", "--batch", "6"]).unwrap_err();
    assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    let program = Program::try_parse_from(["train", "--resume", "run", "--data", "idx:b", "--epochs", "6"]).unwrap();
    assert_eq!(program.train.changes(), Changes { data: Some("idx:b".into()), epochs: Some(6) });
}

#[test]
fn what_chooses_is_said_by_two_options() {
    let selection = |options: &str| settings("rgc-28", options).selection;
    assert_eq!(selection(""), Selection::default());
    assert_eq!(selection("--hold-out 0"), Selection::Automatic { hold_out: Share::Images(0) });
    assert_eq!(selection("--hold-out 600"), Selection::HeldOut { share: Share::Images(600), seed: None });
    assert_eq!(selection("--hold-out 5%"), Selection::HeldOut { share: Share::Percent(5.0), seed: None });
    assert_eq!(selection("--select-on test"), Selection::Test);
}

#[test]
fn classes_are_the_channels_of_the_last_layer() {
    let fixed = ["train", "--data", "rendered", "--architecture", "rgc-28", "--classes", "3"];
    let job = Program::try_parse_from(fixed).unwrap().train.job().unwrap();
    assert_eq!(job.architecture.lower().unwrap().classes(), 3);
}

#[test]
fn milestones_and_patience_belong_to_their_schedules() {
    assert_eq!(settings("rgc-28", "--schedule steps --milestones 1,2").schedule, Schedule::Steps { after: vec![1, 2] });
    for options in ["--milestones 1", "--schedule cosine --patience 2"] {
        let fixed = ["train", "--data", "rendered", "--architecture", "rgc-28"];
        let program = Program::try_parse_from(fixed.into_iter().chain(options.split_whitespace())).unwrap();
        let error = program.train.job().unwrap_err().to_string();
        assert!(error.contains("give --schedule"), "{error}");
    }
}
