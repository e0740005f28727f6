//! What is in a linked image: its size, and that nothing in it can panic or allocate.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, SymbolKind,
    elf::{FileHeader32, SHF_ALLOC, SHF_WRITE, SHT_NOBITS},
    read::elf::{ElfFile, SectionHeader},
};

/// A 32-bit ELF image.
pub struct Image {
    name: String,
    bytes: Vec<u8>,
}

impl Image {
    /// Reads an image.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let image = Self { name: name.into_owned(), bytes };
        image.parse()?;
        Ok(image)
    }

    fn parse(&self) -> Result<ElfFile<'_, FileHeader32<LittleEndian>>> {
        ElfFile::parse(self.bytes.as_slice()).with_context(|| format!("{} is not a 32-bit ELF image", self.name))
    }

    /// One line on the flash and static RAM that the image takes.
    pub fn size(&self) -> Result<String> {
        let image = self.parse()?;
        let endian = image.endian();
        let (mut flash, mut ram) = (0, 0);
        for header in image.elf_section_table().iter() {
            let flags = header.sh_flags(endian).0;
            if flags & SHF_ALLOC.0 == 0 {
                continue;
            }
            let size = header.sh_size(endian);
            if header.sh_type(endian) != SHT_NOBITS {
                flash += size;
            }
            if flags & SHF_WRITE.0 != 0 {
                ram += size;
            }
        }
        Ok(format!("{} takes {flash} bytes of flash and {ram} bytes of static RAM", self.name))
    }

    /// Bytes of a section; 0 if there is none.
    pub fn section_length(&self, name: &str) -> Result<u64> {
        Ok(self.parse()?.section_by_name(name).map_or(0, |section| section.size()))
    }

    /// Code of the image by function: address, bytes, name; by address.
    pub fn functions(&self) -> Result<Vec<Function>> {
        let mut functions: Vec<Function> = self
            .parse()?
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .filter_map(|symbol| {
                let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
                // The lowest bit says that the code is Thumb.
                let address = symbol.address() & !1;
                Some(Function { address, length: symbol.size(), name })
            })
            .collect();
        functions.sort_by_key(|function| function.address);
        Ok(functions)
    }

    /// Functions of the image that panic or allocate, demangled.
    pub fn forbidden(&self) -> Result<Vec<String>> {
        let image = self.parse()?;
        let names: Vec<String> = image
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text)
            .filter_map(|symbol| symbol.name().ok())
            .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
            .collect();
        // An image without symbols would pass whatever is in it.
        ensure!(names.iter().any(|name| name.ends_with("Reset")), "{} has no symbols to check", self.name);
        Ok(names.into_iter().filter(|name| is_forbidden(name)).collect())
    }

    /// Fails where [`Image::forbidden`] finds something.
    pub fn refuse_forbidden(&self) -> Result<()> {
        let found = self.forbidden()?;
        ensure!(found.is_empty(), "{} holds code that panics or allocates: {}", self.name, found.join(", "));
        Ok(())
    }
}

/// A function of an image.
pub struct Function {
    /// Of its first instruction.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// Demangled.
    pub name: String,
}

/// Whether a function is part of the panic machinery or of the heap.
fn is_forbidden(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "core::panicking::",
        "core::panic::",
        "panic_already_borrowed",
        "rust_begin_unwind",
        "__rust_alloc",
        "__rust_realloc",
        "__rdl_alloc",
        "__rg_alloc",
    ];
    // Functions of the crate `alloc`, and of other crates for its types; `core::alloc` only describes layouts.
    let allocates = name.starts_with("alloc::")
        || ["<alloc::", "(alloc::", " alloc::", "&alloc::"].iter().any(|part| name.contains(part));
    allocates || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    #[test]
    fn panics_and_allocations_are_known_by_name() {
        for name in [
            "core::panicking::panic_bounds_check",
            "core::cell::panic_already_borrowed",
            "__rustc::__rust_alloc",
            "__rustc::rust_begin_unwind",
            "alloc::raw_vec::RawVecInner<A>::finish_grow",
            "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop",
        ] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in [
            "core::alloc::layout::Layout::is_size_align_valid",
            "convrnn_runtime::session::Session<B>::step",
            "SysTick",
            "memcpy",
        ] {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}
