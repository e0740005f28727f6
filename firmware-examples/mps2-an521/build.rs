//! Hands the linker the memory of the part and the vector table's layout.

#[path = "../common/layout.rs"]
mod layout;
#[path = "src/memory.rs"]
mod memory;

fn main() {
    let sources = ["build.rs", "src/memory.rs"];
    layout::write(&sources, (0x1000_0000, memory::FLASH_BYTES), (0x3800_0000, memory::RAM_BYTES));
}
