//! Shows images to a device and compares every answer with the host's run of the same program.

use super::StreamError;
use super::client::Client;
use super::expected::Expected;
use super::link::StepScores;
use convrnn_graph::Presentation;
use convrnn_runtime::protocol::Report;
use serde::Serialize;

/// What to show.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// Raw pixels of each, `[height, width, channels]`.
    pub pixels: Vec<Vec<u8>>,
    /// Right answers, if they are known.
    pub labels: Option<Vec<i64>>,
}

/// A step that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Number of the image, from 0.
    pub image: usize,
    /// How many there are.
    pub images: usize,
    /// Right answer, if it is known.
    pub label: Option<i64>,
    /// Steps of the presentation.
    pub steps: usize,
    /// What the device answered.
    pub scores: &'a StepScores,
    /// What differs from the host's run, if anything.
    pub difference: Option<&'static str>,
}

/// The first answer that differed from the host's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Number of the image, from 0.
    pub image: usize,
    /// Step, from 1.
    pub step: u32,
    /// What differs.
    pub what: &'static str,
}

/// What the host's end of the line has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LineCounters {
    /// Messages accepted.
    pub accepted: u32,
    /// Frames refused because of a broken code or a wrong CRC.
    pub damaged: u32,
    /// Frames refused because they were too long.
    pub overlong: u32,
    /// Undamaged frames that hold no message of this version.
    pub unknown: u32,
    /// Messages that never came.
    pub lost: u32,
    /// Bytes damaged on purpose, in both directions.
    pub damaged_bytes: u64,
}

/// What came of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Whether every answer equals the host's and, on a good line, none is missing or late; on a line
    /// damaged on purpose, whether damage was refused and the stream went on after it.
    pub passed: bool,
    /// Why it did not pass, if it did not.
    pub failure: Option<&'static str>,
    /// Images shown.
    pub images: usize,
    /// Steps whose answers should have come.
    pub steps: usize,
    /// Steps whose answers came.
    pub answered: usize,
    /// Answers that differ from the host's run of the program.
    pub differing: usize,
    /// The first of them.
    pub first_difference: Option<Difference>,
    /// Images with the right class at the last step, of those whose last step came; none without
    /// labels.
    pub right: Option<[usize; 2]>,
    /// Requests sent again.
    pub resent: u32,
    /// Time between steps in microseconds, as the device says.
    pub tick_microseconds: u32,
    /// The device's own report.
    pub device: Report,
    /// The host's end of the line.
    pub line: LineCounters,
}

impl Summary {
    /// The longest step as a part of the tick.
    pub fn longest_step_of_tick(&self) -> Option<f64> {
        let tick = f64::from(self.tick_microseconds) * 1e-6 * f64::from(self.device.units_per_second);
        (tick > 0.0).then(|| f64::from(self.device.longest_step) / tick)
    }
}

/// Shows every image and calls `observe` with each step that arrives.
pub fn replay(
    client: &mut Client<'_>,
    expected: &mut Expected<'_>,
    images: &Images,
    presentation: &Presentation,
    mut observe: impl FnMut(Observed<'_>),
) -> Result<Summary, StreamError> {
    expected.check(client.info().crc)?;
    // The device counts from its start, which may lie before this stream.
    let is_damaged = client.link().is_damaged();
    let device_refused = if is_damaged { client.report()?.refused } else { 0 };
    let mut answered_last = 0;
    let (mut answered, mut differing, mut resent) = (0, 0, 0);
    let mut first_difference = None;
    let mut right = [0, 0];
    for (image, pixels) in images.pixels.iter().enumerate() {
        let host = expected.run(pixels, presentation)?;
        let label = images.labels.as_ref().and_then(|labels| labels.get(image).copied());
        let shown = client.show(pixels, presentation, |scores| {
            let same_step = (scores.step as usize).checked_sub(1).and_then(|index| host.get(index));
            let difference = same_step.map_or(Some("number of the step"), |host| host.difference(scores));
            if let Some(what) = difference {
                differing += 1;
                first_difference.get_or_insert(Difference { image, step: scores.step, what });
            }
            observe(Observed {
                image,
                images: images.pixels.len(),
                label,
                steps: presentation.steps,
                scores,
                difference,
            });
        })?;
        resent += shown.resent;
        let mut seen: Vec<u32> = shown.steps.iter().map(|step| step.step).collect();
        seen.sort_unstable();
        seen.dedup();
        answered_last = seen.len();
        answered += answered_last;
        if let Some(last) = shown.steps.iter().rfind(|step| step.step as usize == presentation.steps) {
            right[1] += 1;
            right[0] += usize::from(label.is_some_and(|label| usize::try_from(label) == Ok(best(&last.scores))));
        }
    }
    let device = client.report()?;
    let steps = images.pixels.len() * presentation.steps;
    let counters = client.link().counters();
    let refused = client.link().refused().saturating_add(device.refused.saturating_sub(device_refused));
    // A request is sent again when it or its answer was refused; the image's steps came after that.
    let went_on = answered_last > 0 && (client.refused_before_step() > 0 || resent > 0);
    let failure = if differing > 0 {
        Some("an answer differs from the host's")
    } else if answered == 0 {
        Some("no step was answered")
    } else if !is_damaged && answered < steps {
        Some("steps are missing")
    } else if !is_damaged && device.missed > 0 {
        Some("the device missed deadlines")
    } else if is_damaged && client.link().damaged_bytes() == 0 {
        Some("no byte was damaged: show more images, or damage one byte of fewer")
    } else if is_damaged && refused == 0 {
        Some("bytes were damaged, but no frame was refused")
    } else if is_damaged && !went_on {
        Some("no step was answered after the damage: show more images")
    } else {
        None
    };
    Ok(Summary {
        passed: failure.is_none(),
        failure,
        images: images.pixels.len(),
        steps,
        answered,
        differing,
        first_difference,
        right: images.labels.as_ref().map(|_| right),
        resent,
        tick_microseconds: client.info().tick_microseconds,
        device,
        line: LineCounters {
            accepted: counters.accepted,
            damaged: counters.damaged,
            overlong: counters.overlong,
            unknown: counters.unknown,
            lost: counters.lost,
            damaged_bytes: client.link().damaged_bytes(),
        },
    })
}

/// The class with the highest score, the first of equals.
pub fn best(scores: &[f32]) -> usize {
    let better = |best: usize, class: usize| if scores[class] > scores[best] { class } else { best };
    (1..scores.len()).fold(0, better)
}
