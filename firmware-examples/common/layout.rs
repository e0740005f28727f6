//! The linker's layout of a board, for the build scripts of all of them.

use std::{env, fs, path::Path};

/// A piece of memory: its first address and its bytes.
pub type Memory = (usize, usize);

/// Hands the linker the memory of the part and the vector table's layout. `sources`, seen from the folder of the board, are
/// what the layout is made from.
pub fn write(sources: &[&str], flash: Memory, ram: Memory) {
    for source in sources.iter().chain(&["../common/layout.rs"]) {
        println!("cargo:rerun-if-changed={source}");
    }
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let piece =
        |name: &str, (origin, length): Memory| format!("  {name} : ORIGIN = {origin:#010x}, LENGTH = {length}\n");
    let layout = format!("MEMORY\n{{\n{}{}}}\n", piece("FLASH", flash), piece("RAM", ram));
    fs::write(Path::new(&folder).join("memory.x"), layout).expect("memory.x can be written to OUT_DIR");
    println!("cargo:rustc-link-search={}", Path::new(&folder).display());
    for argument in ["--nmagic", "-Tlink.x", "--gc-sections"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
