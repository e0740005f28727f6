//! Hands the linker the memory of the part and the vector table's layout.

use std::{env, fs, path::Path};

#[path = "src/memory.rs"]
mod memory;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/memory.rs");
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let layout = format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = 0x10000000, LENGTH = {}\n  RAM   : ORIGIN = 0x38000000, LENGTH = {}\n}}\n",
        memory::FLASH_BYTES,
        memory::RAM_BYTES
    );
    fs::write(Path::new(&folder).join("memory.x"), layout).expect("memory.x can be written to OUT_DIR");
    println!("cargo:rustc-link-search={}", Path::new(&folder).display());
    for argument in ["--nmagic", "-Tlink.x", "--gc-sections"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
