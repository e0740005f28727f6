//! `convrnn-export stream`

mod display;

use super::inspect::read_program;
use super::{Outcome, bytes, say, say_json};
use convrnn_export::program::AlignedBytes;
use convrnn_export::stream::{Client, Damage, Expected, Images, Link, Summary, Timing, open, replay};
use convrnn_graph::Presentation;
use convrnn_models::FileError;
use convrnn_models::safetensors_file::TensorFile;
use convrnn_models::sampling::balanced;
use convrnn_runtime::Program;
use display::Display;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Longest answer of a device, framed.
const ANSWER_BYTES: usize = 16 * 1024;
/// Images where no trace says how many.
const RANDOM_IMAGES: usize = 10;

/// Show images to a device and its class scores live, compared with the host's run of the program.
///
/// Ends with exit code 1 if an answer differs by one bit or, on a line that is not damaged on purpose,
/// if a step is missing or came late; on a line that is, if no damage was seen and overcome.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The program that the device runs.
    program: PathBuf,
    /// tcp:HOST:PORT, or a serial device with its speed, for instance /dev/ttyACM0:115200.
    #[arg(long, value_name = "ADDRESS")]
    connect: String,
    /// Images to show, from a trace or any safetensors file with frames U8 [N, height, width,
    /// channels]; random pixels if not given.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// How many, every class in its share where the file has labels.
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    images: Option<usize>,
    /// Steps of each presentation; the program's if not given.
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
    /// Flip a bit in one byte of so many, in both directions, to try the line's defences.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    damage: Option<u32>,
    /// Decides which bytes are damaged, and the random pixels.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds to wait for the device to be there, at most an hour.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3600))]
    wait: u64,
    /// Milliseconds to wait for an answer before asking again, at most a minute.
    #[arg(long, default_value_t = 300, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    answer: u64,
    /// Print only a summary, as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let program = AlignedBytes::copy_of(&read_program(&arguments.program)?);
    let verified = Program::new_checked(&program)?;
    let images = images(arguments, &verified)?;
    let presentation = presentation(arguments, &verified)?;
    let class_names = class_names(&verified);
    let mut expected = Expected::new(&program)?;
    let (address, baud) = address(&arguments.connect)?;
    let transport = open(address, baud, Duration::from_secs(arguments.wait))?;
    let damage = arguments.damage.map(|one_in| Damage::new(one_in, arguments.seed));
    let mut buffer = vec![0; ANSWER_BYTES];
    let link = Link::new(transport, &mut buffer, damage);
    let mut client = Client::connect(link, Timing { answer: Duration::from_millis(arguments.answer) })?;
    let mut display = match (arguments.json, std::io::stdout().is_terminal()) {
        (true, _) => Display::silent(),
        (false, true) => Display::bars(&class_names),
        (false, false) => Display::lines(&class_names),
    };
    let summary = replay(&mut client, &mut expected, &images, &presentation, |observed| display.show(&observed))?;
    display.finish()?;
    match arguments.json {
        true => say_json(&summary)?,
        false => say(text(&summary))?,
    }
    Ok(if summary.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Splits `/dev/ttyACM0:115200`; TCP addresses stay whole.
fn address(text: &str) -> Result<(&str, u32), String> {
    const DEFAULT_BAUD: u32 = 115_200;
    if text.starts_with("tcp:") {
        return Ok((text, DEFAULT_BAUD));
    }
    match text.rsplit_once(':') {
        None => Ok((text, DEFAULT_BAUD)),
        Some((path, baud)) => match baud.parse() {
            Ok(baud) if baud > 0 => Ok((path, baud)),
            Ok(_) | Err(_) => {
                Err(format!("{text} ends with the speed \"{baud}\", expected bits a second, for instance :115200"))
            }
        },
    }
}

fn class_names(program: &Program<'_>) -> Vec<String> {
    let named = program.metadata().map(|metadata| metadata.classes().map(str::to_owned).collect::<Vec<_>>());
    let numbered = || (0..program.classes()).map(|class| class.to_string()).collect();
    named.filter(|names| names.len() == program.classes()).unwrap_or_else(numbered)
}

fn presentation(arguments: &Arguments, program: &Program<'_>) -> Result<Presentation, String> {
    let metadata = program.metadata();
    let recorded = metadata.map_or((0, 0), |metadata| (metadata.steps as usize, metadata.image_steps as usize));
    let steps = match (arguments.steps, recorded.0) {
        (Some(steps), _) => usize::from(steps),
        (None, 0) => return Err("the program does not say how many steps an image is shown: give --steps".into()),
        (None, steps) => steps,
    };
    let image_steps = if recorded.1 == recorded.0 { steps } else { recorded.1.min(steps) };
    Ok(Presentation { steps, image_steps, blank: 0.0 })
}

fn images(arguments: &Arguments, program: &Program<'_>) -> Result<Images, FileError> {
    let size = program.buffer(program.prelude().frame_buffer).map_or(0, |frame| frame.elements());
    let Some(path) = &arguments.trace else {
        let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
        let count = arguments.images.unwrap_or(RANDOM_IMAGES);
        let pixels = (0..count).map(|_| (0..size).map(|_| random.random()).collect()).collect();
        return Ok(Images { pixels, labels: None });
    };
    let all = read_frames(path, size)?;
    let count = arguments.images.unwrap_or(all.pixels.len()).min(all.pixels.len());
    let labels = all.labels.filter(|labels| labels.len() == all.pixels.len());
    let chosen: Vec<usize> = match &labels {
        Some(labels) => balanced(labels).into_iter().take(count).collect(),
        None => (0..count).map(|index| index * all.pixels.len() / count.max(1)).collect(),
    };
    Ok(Images {
        pixels: chosen.iter().map(|&image| all.pixels[image].clone()).collect(),
        labels: labels.map(|labels| chosen.iter().map(|&image| labels[image]).collect()),
    })
}

fn read_frames(path: &Path, size: usize) -> Result<Images, FileError> {
    let file = TensorFile::read(path)?;
    let content = |message: String| FileError::Content { path: path.into(), message };
    let frames = file.get("frames").ok_or_else(|| content("has no tensor frames".into()))?;
    let found: usize = frames.shape.iter().skip(1).product();
    if found != size || size == 0 || frames.bytes.len() != frames.shape.iter().product::<usize>() {
        let (shape, kind) = (&frames.shape, frames.dtype);
        return Err(content(format!("has frames {kind:?} {shape:?}, expected U8 [N, ...] with {size} pixels each")));
    }
    let labels = file.get("labels").and_then(|labels| labels.to_i64());
    Ok(Images { pixels: frames.bytes.chunks_exact(size).map(<[u8]>::to_vec).collect(), labels })
}

fn text(summary: &Summary) -> String {
    let device = &summary.device;
    let line = &summary.line;
    let entry = |name: &str, value: String| format!("{name:<22} {value}");
    let mut lines = vec![
        entry("images", summary.images.to_string()),
        entry("steps answered", format!("{} of {}", summary.answered, summary.steps)),
        entry("differing from host", summary.differing.to_string()),
    ];
    if let Some(difference) = &summary.first_difference {
        let place = format!("{} of image {}, step {}", difference.what, difference.image, difference.step);
        lines.push(entry("  the first", place));
    }
    if let Some([right, of]) = summary.right {
        lines.push(entry("right at the last step", format!("{right} of {of}")));
    }
    lines.push(entry("missed deadlines", device.missed.to_string()));
    if let Some(part) = summary.longest_step_of_tick() {
        let tick = f64::from(summary.tick_microseconds) / 1000.0;
        lines.push(entry("longest step", format!("{:.1} % of the tick of {tick} ms", 100.0 * part)));
    }
    lines
        .push(entry("stack at most", format!("{} of {}", bytes(device.peak_stack.into()), bytes(device.stack.into()))));
    lines.push(entry("arena", bytes(device.arena.into())));
    lines.push(entry("static memory", bytes(device.static_memory.into())));
    lines.push(entry("flash", bytes(device.flash.into())));
    let refused = format!(
        "{} accepted, {} refused, {} overruns, {} dropped",
        device.accepted, device.refused, device.overruns, device.dropped
    );
    lines.push(entry("device's line", refused));
    let refused = line.damaged + line.overlong + line.unknown;
    lines.push(entry(
        "host's line",
        format!("{} accepted, {refused} refused, {} lost, {} asked again", line.accepted, line.lost, summary.resent),
    ));
    if line.damaged_bytes > 0 {
        lines.push(entry("damaged on purpose", format!("{} bytes", line.damaged_bytes)));
    }
    lines.push(match summary.failure {
        None => "the device gives the host's bits".into(),
        Some(failure) => format!("FAILED: {failure}"),
    });
    lines.join("\n")
}
