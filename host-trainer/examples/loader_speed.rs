//! Images a second that the data pipeline decodes, augments as He et al. 2016 did and normalises: for the benchmark of
//! `cargo xtask bench loader`.
//!
//! `loader_speed SOURCE LOW HIGH BATCH EPOCHS`

use convrnn_models::Preprocessing;
use convrnn_trainer::data::{Augmentation, BatchPlan, Batches, Source, Split, principal_colours};
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, low, high, batch, epochs] = arguments.as_slice() else {
        return Err("usage: loader_speed SOURCE LOW HIGH BATCH EPOCHS".into());
    };
    let source = Source::parse(source)?;
    let split = if source.has(Split::Validation)? { Split::Validation } else { Split::Test };
    let images = source.load(split)?;
    let shape = images.shape();
    let augmentation = Augmentation {
        short_side: Some((low.parse()?, high.parse()?)),
        flip: true,
        colours: principal_colours(&*images)?,
        ..Augmentation::default()
    };
    let preprocessing = Preprocessing {
        channels: shape.channels,
        height: shape.height,
        width: shape.width,
        mean: vec![0.485, 0.456, 0.406],
        standard_deviation: vec![0.229, 0.224, 0.225],
        decoding: Default::default(),
    };
    let (mut count, mut sum, started) = (0, 0.0, Instant::now());
    for epoch in 0..epochs.parse()? {
        let plan = BatchPlan { augmentation: augmentation.clone(), ..BatchPlan::train(batch.parse()?, 1, epoch) };
        for batch in Batches::new(Arc::clone(&images), plan)? {
            let batch = batch?;
            // What a training step would read.
            sum += batch.normalized(&preprocessing).first().copied().unwrap_or(0.0);
            count += batch.len();
        }
    }
    println!("{:.2}", count as f64 / started.elapsed().as_secs_f64());
    eprintln!("checksum {sum}");
    Ok(())
}
