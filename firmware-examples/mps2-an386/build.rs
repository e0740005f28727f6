//! Hands the linker the memory of the part and the vector table's layout.

#[path = "../common/layout.rs"]
mod layout;
#[path = "src/memory.rs"]
mod memory;

fn main() {
    // Seen from the folder of a board, which may be another than this file's.
    let sources = ["../mps2-an386/build.rs", "../mps2-an386/src/memory.rs"];
    layout::write(&sources, (0, memory::FLASH_BYTES), (0x2000_0000, memory::RAM_BYTES));
}
