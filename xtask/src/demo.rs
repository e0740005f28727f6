//! `cargo xtask demo`: the whole way once, from images to the microcontroller, with a report.

mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{checkout, firmware, process, setup, stages::Stages};
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
    let mut stages = Stages::new();
    stages.run_long("set-up", "seconds, or about a minute where libraries are fetched", setup::libraries)?;
    let build = || {
        // Packages of the distribution come while the compiler works: nothing needs them before the firmware.
        std::thread::scope(|scope| {
            let packages = scope.spawn(setup::packages);
            process::run_on_stderr(&mut checkout::build_programs())?;
            packages.join().expect("the set-up of packages does not panic")
        })
    };
    stages.run_long("build of both programs, firmware tools meanwhile", "4 to 8 minutes from nothing", build)?;
    let folder = new_folder(&checkout::root().join("runs"))?;
    let mut demo = Demo { report: Report::new(), folder };
    let checkpoint = stages.run_long(
        "training on digits drawn by the program, with clutter, occluders and noise",
        "a minute",
        || demo.train(arguments),
    )?;
    stages.run("accuracy by time step, whole and with recurrence taken away", || demo.evaluate(&checkpoint))?;
    stages.run("export of ONNX and device programs", || demo.export(&checkpoint))?;
    eprintln!(
        "tract is left out here, since it takes as long to build as all the rest; it joins in `cargo xtask test`"
    );
    let trace = stages.run_long("every engine's answers beside libtorch's", "half a minute", || {
        demo.validate(&checkpoint, arguments)
    })?;
    if arguments.no_firmware {
        eprintln!("left out: the Cortex-M4 (--no-firmware)");
    } else if let (Some(tool), false) = (firmware::missing(), process::is_root()) {
        eprintln!("left out: the Cortex-M4 (no {tool}; `cargo xtask setup` says how to get it)");
    } else {
        stages
            .run_long("the int8 program on a Cortex-M4 in QEMU", "half a minute", || demo.stream(&trace, arguments))?;
    }
    let path = demo.folder.join("report.html");
    demo.report.write(&path)?;
    println!("report: {}", path.display());
    print!("{}", stages.table());
    Ok(())
}

struct Demo {
    report: Report,
    folder: PathBuf,
}

impl Demo {
    /// Returns the best checkpoint.
    fn train(&mut self, arguments: &DemoArguments) -> Result<PathBuf> {
        let training = self.folder.join("training");
        let epochs = arguments.epochs.to_string();
        process::run(
            self.program("convrnn-train")
                .args(["train", "--architecture", &arguments.architecture, "--data", "rendered", "--epochs", &epochs])
                .args(["--learning-rate", "0.1", "--warm-up", "0.5", "--schedule", "cosine", "--clip", "0.1", "--run"])
                .arg(&training),
        )?;
        self.report.picture("Sample images", &training.join("plots/samples.png"))?;
        self.report.picture("Loss and accuracy", &training.join("plots/training.svg"))?;
        Ok(training.join("best"))
    }

    fn evaluate(&mut self, checkpoint: &Path) -> Result<()> {
        let mut evaluate = self.program("convrnn-train");
        evaluate.arg("eval").arg(checkpoint).args(["--ablate", "recurrence"]);
        self.show(
            "Accuracy by time step, whole and with every recurrent state and feedback zero before each step",
            &mut evaluate,
        )?;
        recurrence_works(evaluate.arg("--json"))?;
        let plots = self.folder.join("training/plots");
        self.report.picture("Accuracy by time step", &plots.join("accuracy-by-step.svg"))?;
        self.report.picture("Logits over time", &plots.join("logits.svg"))
    }

    fn export(&mut self, checkpoint: &Path) -> Result<()> {
        let onnx = self.folder.join("onnx");
        process::run(self.program("convrnn-export").arg("onnx").arg(checkpoint).arg("--output").arg(&onnx))?;
        for numerics in ["f32", "int8"] {
            let mut program = self.program("convrnn-export");
            program.arg("program").arg(checkpoint).args(["--numerics", numerics, "--output"]);
            process::run(program.arg(self.device_program(numerics)))?;
        }
        let mut inspect = self.program("convrnn-export");
        inspect.arg("inspect").arg(self.device_program("int8"));
        self.show("Device program, int8", &mut inspect)
    }

    /// Returns libtorch's trace.
    fn validate(&mut self, checkpoint: &Path, arguments: &DemoArguments) -> Result<PathBuf> {
        let trace = self.folder.join("trace.safetensors");
        let images = arguments.images.to_string();
        let mut record = self.program("convrnn-train");
        record.arg("trace").arg(checkpoint).args(["--images", &images, "--output"]);
        process::run(record.arg(&trace))?;
        let mut validate = self.program("convrnn-export");
        validate.arg("validate").arg(checkpoint).arg("--trace").arg(&trace);
        self.show("Engines", &mut validate)?;
        Ok(trace)
    }

    fn stream(&mut self, trace: &Path, arguments: &DemoArguments) -> Result<()> {
        let answer = firmware::stream(&self.device_program("int8"), trace, arguments.device_images, None)?;
        print!("{answer}");
        self.report.text("Cortex-M4 in QEMU", &answer);
        Ok(())
    }

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
