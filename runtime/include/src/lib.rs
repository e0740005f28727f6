//! `include_program!`: the bytes of a device program in a firmware image, verified by the compiler.

mod source;

use convrnn_format::{Prelude, Program};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use source::Source;
use std::path::{Path, PathBuf};

/// Includes a program file in an image, aligned for reading in place: a `convrnn_runtime::BuiltIn`.
///
/// ```text
/// static PROGRAM: BuiltIn = include_program!("net.crnn");
/// static PROGRAM: BuiltIn = include_program!(env!("NET", "set NET to the path of a program"));
/// ```
///
/// The path is relative to the file that uses the macro. The whole program is verified while that file is compiled, as
/// loading it would: one that is damaged, or of another version, is an error of the compiler, and the firmware needs no
/// code that verifies it.
#[proc_macro]
pub fn include_program(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let own_folder = proc_macro::Span::call_site().local_file().and_then(|file| file.parent().map(Path::to_path_buf));
    let output = syn::parse(input).and_then(|source: Source| expand(&source, &own_folder.unwrap_or_default()));
    output.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// What the macro stands for, used in a file of a folder.
fn expand(source: &Source, folder: &Path) -> syn::Result<TokenStream> {
    let path = source.path()?;
    let path = absolute(&folder.join(&path), source.span())?;
    let fail = |message: String| syn::Error::new(source.span(), format!("{}: {message}", path.display()));
    let bytes = std::fs::read(&path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    Program::new_checked(&bytes)
        .map_err(|error| fail(format!("is no device program for this version of convrnn-runtime: {error}")))?;
    let checksum = Prelude::at(&bytes, 0).crc;
    let text = path.to_str().ok_or_else(|| fail("the path is not UTF-8: move the file".to_owned()))?;
    let variable = source.tracking();
    Ok(quote! {{
        #variable
        // By itself this makes the compiler look again when the file changes.
        static PROGRAM: &::convrnn_runtime::Aligned<[u8]> = &::convrnn_runtime::Aligned(*include_bytes!(#text));
        ::convrnn_runtime::BuiltIn::verified(&PROGRAM.0, #checksum)
    }})
}

fn absolute(path: &Path, span: Span) -> syn::Result<PathBuf> {
    std::path::absolute(path).map_err(|error| syn::Error::new(span, format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, folder: &Path) -> String {
        let source = syn::parse_str::<Source>(text);
        source.and_then(|source| expand(&source, folder)).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_is_no_program_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("net.crnn"), b"CRNN but no program").unwrap();
        let found = message("\"net.crnn\"", folder.path());
        assert!(found.contains("net.crnn: is no device program") && found.contains("cut short"), "{found}");
        let found = message("\"other.crnn\"", folder.path());
        assert!(found.contains("other.crnn: cannot be read"), "{found}");
    }

    #[test]
    fn other_input_is_refused_with_what_is_expected() {
        let folder = Path::new("");
        assert!(message("3", folder).contains("expected"));
        assert!(message("net", folder).contains("env!"));
        assert_eq!(message("env!(\"CONVRNN_NO_SUCH_VARIABLE\", \"set it\")", folder), "set it");
        let found = message("env!(\"CONVRNN_NO_SUCH_VARIABLE\")", folder);
        assert!(found.contains("CONVRNN_NO_SUCH_VARIABLE is not set"), "{found}");
    }
}
