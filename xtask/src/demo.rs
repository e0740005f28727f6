//! `cargo xtask demo`: the whole way once, from images to the microcontroller, with a report.

mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{checkout, firmware, process, setup};
use report::Report;

#[derive(clap::Args)]
pub struct DemoArguments {
    /// Network from `convrnn-train list`; its int8 program must fit the Cortex-M4
    #[arg(long, default_value = "rgc-28-m4")]
    architecture: String,
    /// Passes over the training images
    #[arg(long, default_value_t = 8)]
    epochs: u32,
    /// Images of the trace: int8 is judged on all of them, float engines on 1000
    #[arg(long, default_value_t = 4000)]
    images: u32,
    /// Images sent to the Cortex-M4 over its serial line
    #[arg(long, default_value_t = 20)]
    device_images: u32,
    /// Leave out the Cortex-M4, for machines without QEMU
    #[arg(long)]
    no_firmware: bool,
}

/// Trains, exports, validates, streams, and writes `runs/demo-<number>/report.html`.
pub fn run(arguments: &DemoArguments) -> Result<()> {
    let start = Instant::now();
    title("set-up");
    setup::run()?;
    title("build");
    process::run_on_stderr(&mut checkout::build_all())?;
    let folder = new_folder(&checkout::root().join("runs"))?;
    let mut demo = Demo { report: Report::new(), folder };

    let training = demo.folder.join("training");
    let epochs = arguments.epochs.to_string();
    title("train on digits drawn by the program, with clutter, occluders and noise");
    process::run(
        demo.program("convrnn-train")
            .args(["train", "--architecture", &arguments.architecture, "--data", "rendered", "--epochs", &epochs])
            .args(["--learning-rate", "0.1", "--warm-up", "0.5", "--schedule", "cosine", "--clip", "0.1", "--run"])
            .arg(&training),
    )?;
    demo.report.picture("Sample images", &training.join("plots/samples.png"))?;
    demo.report.picture("Loss and accuracy", &training.join("plots/training.svg"))?;

    let checkpoint = training.join("best");
    title("accuracy by time step, whole and with recurrence taken away");
    let mut evaluate = demo.program("convrnn-train");
    evaluate.arg("eval").arg(&checkpoint).args(["--ablate", "recurrence"]);
    demo.show(
        "Accuracy by time step, whole and with every recurrent state and feedback zero before each step",
        &mut evaluate,
    )?;
    recurrence_works(evaluate.arg("--json"))?;
    demo.report.picture("Accuracy by time step", &training.join("plots/accuracy-by-step.svg"))?;
    demo.report.picture("Logits over time", &training.join("plots/logits.svg"))?;

    title("export");
    let onnx = demo.folder.join("onnx");
    process::run(demo.program("convrnn-export").arg("onnx").arg(&checkpoint).arg("--output").arg(&onnx))?;
    for numerics in ["f32", "int8"] {
        let mut program = demo.program("convrnn-export");
        program.arg("program").arg(&checkpoint).args(["--numerics", numerics, "--output"]);
        process::run(program.arg(demo.device_program(numerics)))?;
    }
    let int8 = demo.device_program("int8");
    let mut inspect = demo.program("convrnn-export");
    demo.show("Device program, int8", inspect.arg("inspect").arg(&int8))?;

    title("every engine's answers beside libtorch's");
    let trace = demo.folder.join("trace.safetensors");
    let images = arguments.images.to_string();
    process::run(
        demo.program("convrnn-train").arg("trace").arg(&checkpoint).args(["--images", &images, "--output"]).arg(&trace),
    )?;
    let mut validate = demo.program("convrnn-export");
    validate.arg("validate").arg(&checkpoint).arg("--trace").arg(&trace);
    demo.show("Engines", &mut validate)?;

    if arguments.no_firmware {
        eprintln!("left out: the Cortex-M4 (--no-firmware)");
    } else if let (Some(tool), false) = (firmware::missing(), process::is_root()) {
        eprintln!("left out: the Cortex-M4 (no {tool}; `cargo xtask setup` says how to get it)");
    } else {
        title("the int8 program on a Cortex-M4 in QEMU");
        let answer = firmware::stream(&int8, &trace, arguments.device_images, None)?;
        print!("{answer}");
        demo.report.text("Cortex-M4 in QEMU", &answer);
    }

    let path = demo.folder.join("report.html");
    demo.report.write(&path)?;
    println!("report: {}", path.display());
    println!("the whole took {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

struct Demo {
    report: Report,
    folder: PathBuf,
}

impl Demo {
    /// One of the two programs, as just built.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(checkout::built(name));
        command.current_dir(checkout::root());
        command
    }

    fn device_program(&self, numerics: &str) -> PathBuf {
        self.folder.join(format!("{numerics}.crnn"))
    }

    /// Runs a command, shows its output and puts it into the report.
    fn show(&mut self, title: &str, command: &mut Command) -> Result<()> {
        let output = process::output(command)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            bail!("`{}` failed ({})", process::describe(command), output.status);
        }
        self.report.command(title, &process::describe(command), &text);
        Ok(())
    }
}

/// Points of accuracy that the demo's task must lose without recurrence.
const RECURRENCE_IS_WORTH: f64 = 5.0;

/// Fails when the network does as well without its recurrence: then it shows nothing about recurrence.
fn recurrence_works(evaluate: &mut Command) -> Result<()> {
    let output = process::output(evaluate)?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{}` gave no JSON", process::describe(evaluate)))?;
    let accuracy = |key: &str| answer[key].as_f64().with_context(|| format!("{key} is missing in {answer}"));
    let lost = 100.0 * (accuracy("last_accuracy")? - accuracy("ablated_last_accuracy")?);
    println!("without recurrence the last step loses {lost:.1} points");
    if lost < RECURRENCE_IS_WORTH {
        bail!("recurrence is worth {lost:.1} points, expected at least {RECURRENCE_IS_WORTH}: train longer (--epochs)");
    }
    Ok(())
}

fn title(text: &str) {
    eprintln!("== {text}");
}

/// `demo-<number>`, the first that does not exist: an earlier report is never overwritten.
fn new_folder(runs: &Path) -> Result<PathBuf> {
    fs::create_dir_all(runs).with_context(|| format!("cannot make {}", runs.display()))?;
    for number in 1.. {
        let folder = runs.join(format!("demo-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make {}", folder.display())),
        }
    }
    unreachable!("the numbers do not end")
}
