//! The ONNX Runtime library, which `convrnn-export` loads at run time from `ORT_DYLIB_PATH`.

use std::{env, fs, path::PathBuf};

use anyhow::{Result, bail};

use super::{
    cache, link,
    wheel::{self, Wheel},
};
use crate::checkout;

const VERSION: &str = "1.24.2";

const WHEEL: Wheel = Wheel {
    package: "onnxruntime",
    version: VERSION,
    platform: "manylinux_2_28_x86_64",
    sha256: "09aa6f8d766b4afc3cfba68dd10be39586b49f9462fbd1386c5d5644239461ca",
};

/// Links the library into the checkout, or leaves the choice to the user's `ORT_DYLIB_PATH`.
pub fn ensure() -> Result<()> {
    let link = checkout::onnxruntime_link();
    // Cargo sets the variable to the link unless the user has set it.
    if let Some(chosen) = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).filter(|path| *path != link) {
        if !chosen.is_file() {
            bail!("ORT_DYLIB_PATH names {}, which is not a file: correct or unset it", chosen.display());
        }
        eprintln!("ONNX Runtime: {} (from ORT_DYLIB_PATH)", chosen.display());
        return Ok(());
    }
    if !link.is_file() {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!(
                "no ONNX Runtime is fetched on this kind of machine: point ORT_DYLIB_PATH at libonnxruntime {VERSION}"
            );
        }
        let entry = cache::entry(&format!("onnxruntime-{VERSION}"), |folder| {
            let downloads = folder.join("downloads");
            let wheel = WHEEL.download(&downloads)?;
            let wanted = format!("onnxruntime/capi/libonnxruntime.so.{VERSION}");
            let found = wheel::extract(&wheel, |name| (name == wanted).then(|| folder.join("libonnxruntime.so")))?;
            if found != 1 {
                bail!("{} holds no {wanted}", wheel.display());
            }
            Ok(fs::remove_dir_all(downloads)?)
        })?;
        link::point(&link, &entry.join("libonnxruntime.so"))?;
    }
    let target = fs::read_link(&link).unwrap_or(link);
    eprintln!("ONNX Runtime: {}", target.display());
    Ok(())
}
