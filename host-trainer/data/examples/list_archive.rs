//! Lists an image folder or archive, and says how long that took and how much memory: `list_archive PATH`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use convrnn_data::files::Listing;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: list_archive PATH")?;
    let started = Instant::now();
    let listing = Listing::open(Path::new(&path))?;
    println!("{} files listed in {:.1} s, {}", listing.len(), started.elapsed().as_secs_f64(), peak());
    Ok(())
}

/// The largest amount of memory that this process has held.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.map_or("peak of memory not known here".into(), |kib| format!("peak of memory {} MiB", kib / 1024))
}
