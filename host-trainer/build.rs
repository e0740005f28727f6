//! Lets binaries and tests find libtorch where torch-sys found it, and keeps its CUDA half linked in where there is one.

use std::{env, path::Path};

fn main() {
    let Ok(directory) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        panic!("torch-sys did not say where libtorch is: keep `torch-sys` a direct dependency of this crate");
    };
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{directory}");
    if Path::new(&directory).join("libtorch_cuda.so").exists() {
        for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-ltorch", "-Wl,--as-needed"] {
            println!("cargo:rustc-link-arg={argument}");
        }
    }
}
