//! ImageNet's size without ImageNet: an archive of small images is made, listed twice, trained from, killed in mid-epoch
//! and gone on with. For `cargo xtask bench archive`.
//!
//! `archive_speed FOLDER IMAGES CLASSES STEPS PROGRAM` does it in FOLDER; PROGRAM is `convrnn-train`. The example
//! `list_archive` of convrnn-data lies beside this program.

#[path = "../tests/archive/steps.rs"]
mod steps;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use steps::{Weights, make, run_until};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [folder, images, classes, steps, program] => {
            all(Path::new(folder), images.parse()?, classes.parse()?, steps.parse()?, Path::new(program))
        }
        _ => Err("usage: archive_speed FOLDER IMAGES CLASSES STEPS PROGRAM".into()),
    }
}

fn all(folder: &Path, images: usize, classes: usize, steps: u64, program: &Path) -> Result<(), Box<dyn Error>> {
    let archive: PathBuf = folder.join("set.tar");
    let started = Instant::now();
    make(&archive, images, classes)?;
    let size = std::fs::metadata(&archive)?.len() as f64 / 1e9;
    println!("{images} images in {classes} classes made in {:.0} s, {size:.2} GB", started.elapsed().as_secs_f64());
    // What is kept about an archive counts once it has been left alone for two seconds.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let cache = folder.join("cache");
    for which in ["first start", "second start"] {
        print!("{which}: ");
        let mut command = Command::new(std::env::current_exe()?.with_file_name("list_archive"));
        let status = command.arg(&archive).env("XDG_CACHE_HOME", &cache).status()?;
        if !status.success() {
            return Err("listing failed".into());
        }
    }
    let command = || {
        let mut command = Command::new(program);
        command.arg("train").env("XDG_CACHE_HOME", &cache);
        command
    };
    let start = |run: &Path| {
        let mut command = command();
        let data = format!("folder:{},channels=1,size=28,decode=lazy", archive.display());
        command.args(["--architecture", "ff-28", "--classes", &classes.to_string(), "--batch", "64", "--epochs", "1"]);
        command.args(["--threads", "1", "--save-every", "0", "--data", &data, "--run"]).arg(run);
        command
    };
    let (alone, killed) = (folder.join("alone"), folder.join("killed"));
    let (mut whole, mut before, mut after) = (Weights::new(), Weights::new(), Weights::new());
    let told = |what: &str, seconds: Option<f64>| match seconds {
        Some(seconds) => {
            println!("{what}: first training step seen after {seconds:.1} s");
            Ok(())
        }
        None => Err(format!("{what}: ended early")),
    };
    told("training, every image looked at once before", run_until(&mut start(&alone), &alone, steps, &mut whole))?;
    told("training, second start", run_until(&mut start(&killed), &killed, steps / 3, &mut before))?;
    let last = before.keys().last().copied().unwrap_or(0);
    let resume = run_until(command().arg("--resume").arg(&killed), &killed, steps, &mut after);
    told(&format!("killed at step {last} of the epoch, resumed"), resume)?;
    let common: Vec<u64> = after.keys().copied().filter(|&step| step > last && whole.contains_key(&step)).collect();
    let same = common.iter().filter(|step| whole[step] == after[step]).count();
    println!("weights after {} steps behind the kill compared with a run left alone: {same} the same", common.len());
    if common.is_empty() || same < common.len() {
        return Err("the run that was killed went another way".into());
    }
    Ok(())
}
