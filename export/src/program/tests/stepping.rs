//! Sessions: layers one by one, resets, snapshots, errors, reports.

use super::super::*;
use super::network::*;
use convrnn_runtime::{
    Decision, Frame, FrameError, LayerProgress, Readout, Rule, Session, SnapshotError, arena_length,
};

struct Loaded {
    program: AlignedBytes,
    frames: Vec<Vec<i8>>,
}

fn loaded(seed: u64, plan: Plan) -> Loaded {
    let (network, frames) = network(seed);
    let quantized = quantized(&network, &frames);
    let options = ProgramOptions { plan, ..ProgramOptions::default() };
    let bytes = write_integer(&quantized, &description(), &options).expect("a program");
    let quantize = |frame: &convrnn_graph::Tensor| {
        let values: Vec<i8> = frame.values.iter().map(|&x| quantized.graph.frame.quantize(x) as i8).collect();
        interleave(frame.shape, &values)
    };
    Loaded { program: AlignedBytes::copy_of(&bytes), frames: frames.iter().map(quantize).collect() }
}

/// CRCs of logits and states of each step.
fn run(session: &mut Session<'_, '_>, frames: &[Vec<i8>]) -> Vec<(u32, u32)> {
    let mut crcs = Vec::new();
    for frame in frames {
        session.present(Frame::Quantized(frame)).expect("the frame fits");
        session.step();
        crcs.push((session.logits_crc(), session.states_crc()));
    }
    crcs
}

#[test]
fn layers_one_by_one_and_snapshots_change_nothing() {
    for seed in 0..12 {
        for plan in [Plan::Sequential, Plan::Parallel] {
            let Loaded { program, frames } = loaded(seed, plan);
            let mut arena = AlignedBytes::zeroed(arena_length(&program));
            let mut session = Session::new(&program, &mut arena).expect("the program loads");
            let whole = run(&mut session, &frames);
            session.reset();
            assert_eq!(run(&mut session, &frames), whole, "a reset brings the start back");

            session.reset();
            let half = frames.len() / 2;
            run(&mut session, &frames[..half]);
            let mut snapshot = vec![0; session.snapshot_length()];
            session.snapshot(&mut snapshot).expect("between steps");
            run(&mut session, &frames[..2]);
            session.restore(&snapshot).expect("a snapshot of this program");
            assert_eq!(session.steps() as usize, half);
            assert_eq!(run(&mut session, &frames[half..]), whole[half..], "seed {seed}: restored to the bit");

            session.reset();
            for (frame, expected) in frames.iter().zip(&whole) {
                session.present(Frame::Quantized(frame)).expect("the frame fits");
                let layers = session.program().layer_count();
                for layer in 1..=layers {
                    let progress = session.step_layer();
                    assert_eq!(progress == LayerProgress::Ended, layer == layers);
                    if layer < layers {
                        assert_eq!(session.snapshot(&mut snapshot), Err(SnapshotError::WithinStep));
                    }
                }
                assert_eq!((session.logits_crc(), session.states_crc()), *expected);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let Loaded { program, frames } = loaded(1, Plan::Sequential);
    let length = arena_length(&program);
    let mut short = AlignedBytes::zeroed(length - 1);
    let error = Session::new(&program, &mut short).expect_err("the arena is too small");
    assert_eq!((error.kind, error.detail as usize), (convrnn_runtime::LoadErrorKind::ArenaTooSmall, length));
    let mut skewed = AlignedBytes::zeroed(length + 8);
    let error = Session::new(&program, &mut skewed[8..]).expect_err("the arena is not aligned");
    assert_eq!(error.kind, convrnn_runtime::LoadErrorKind::ArenaAlignment);

    let mut arena = AlignedBytes::zeroed(length);
    let mut session = Session::new(&program, &mut arena).expect("the program loads");
    let expected = frames[0].len();
    assert_eq!(session.present(Frame::Quantized(&[])), Err(FrameError::Length { expected, found: 0 }));
    assert_eq!(session.present(Frame::Real(&vec![0.0; expected])), Err(FrameError::Numerics));
    let mut snapshot = vec![0; session.snapshot_length()];
    assert!(matches!(session.snapshot(&mut snapshot[1..]), Err(SnapshotError::Length { .. })));
    session.snapshot(&mut snapshot).expect("between steps");
    snapshot[0] ^= 1;
    assert!(matches!(session.restore(&snapshot), Err(SnapshotError::Program { .. })));
    assert!(session.logits(&mut [0.0; 1]).is_err());
    assert!(session.tap("nowhere.output").is_none() && session.state_named("nowhere").is_none());
}

#[test]
fn read_outs_follow_the_scores() {
    let Loaded { program, frames } = loaded(5, Plan::Sequential);
    let mut arena = AlignedBytes::zeroed(arena_length(&program));
    let mut session = Session::new(&program, &mut arena).expect("the program loads");
    let classes = session.logits_raw().len();
    let (mut last_scores, mut mean_scores, mut sure_scores) =
        (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
    let mut last = Readout::new(Rule::Last, &mut last_scores);
    let mut mean = Readout::new(Rule::Mean, &mut mean_scores);
    let mut sure = Readout::new(Rule::Confidence(0.0), &mut sure_scores);
    let mut sums = vec![0.0; classes];
    let mut counted = 0;
    for frame in &frames {
        session.present(Frame::Quantized(frame)).expect("the frame fits");
        session.step();
        let decisions: Vec<Option<Decision>> = [&mut last, &mut mean, &mut sure]
            .map(|readout| readout.update(&session).expect("the classes fit"))
            .to_vec();
        assert!(decisions.iter().all(|decision| decision.is_some() == session.is_image_driven()));
        let mut scores = vec![0.0; classes];
        session.logits(&mut scores).expect("the classes fit");
        if let [Some(last), Some(mean), Some(sure)] = decisions[..] {
            counted += 1;
            sums.iter_mut().zip(&scores).for_each(|(sum, score)| *sum += score);
            assert_eq!(last.class, session.logits_raw().class());
            let exact = 1.0 / scores.iter().map(|score| (score - scores[last.class]).exp()).sum::<f32>();
            assert!((last.confidence - exact).abs() < 1e-5, "{} expected {exact}", last.confidence);
            assert!(sure.is_done && !mean.is_done);
            assert_eq!(mean.steps, counted);
        }
    }
    assert!(counted > 0, "some steps are image-driven");
    for (found, sum) in mean.scores().iter().zip(&sums) {
        assert!((found - sum / counted as f32).abs() < 1e-4);
    }
}

#[test]
fn the_report_agrees_with_graph_and_bytes() {
    for seed in 0..20 {
        let (network, _) = network(seed);
        for options in variants() {
            let bytes = write_real(&network.graph, &network.parameters, &description(), &options).expect("a program");
            let program = convrnn_format::Program::new_checked(&bytes).expect("the program loads");
            let report = ProgramReport::new(&program);
            let cost = convrnn_graph::Cost::new(&network.graph);
            assert_eq!(report.multiply_accumulates, cost.multiply_accumulates());
            assert_eq!(report.states, cost.state_elements * 4);
            assert_eq!(
                report.layers.iter().map(|layer| layer.operations.len()).sum::<usize>(),
                network.graph.nodes.len()
            );
            assert!(
                report.states + report.frame_bytes + report.largest_live <= report.arena + 8 * program.buffer_count()
            );
            assert_eq!(report.flash, bytes.len());
            let sections: usize = report.sections.iter().map(|section| section.bytes).sum();
            assert!(sections <= bytes.len() && bytes.len() < sections + 16 * (report.sections.len() + 1));
        }
    }
}
