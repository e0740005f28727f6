//! Hands the linker the memory of the part and the vector table's layout.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=memory.x");
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::copy("memory.x", Path::new(&folder).join("memory.x"))
        .expect("memory.x can be copied to OUT_DIR");
    println!("cargo:rustc-link-search={}", Path::new(&folder).display());
    for argument in ["--nmagic", "-Tlink.x", "--gc-sections"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
