//! The plugin's functions are QEMU's: they are found when QEMU loads the library.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
}
