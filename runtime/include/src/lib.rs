//! What `include_program!` of convrnn-runtime stands for: the bytes of a device program in a firmware image, verified by the
//! compiler.

mod source;

use convrnn_format::{Prelude, Program};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use source::{Input, Source};
use std::path::{Path, PathBuf};

/// `include_program!`, after the path of the crate that has `BuiltIn` and `Aligned`.
#[proc_macro]
pub fn include_verified(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    // The span of what the user wrote: that of the call would be the macro's around this one.
    let folder = |span: Span| span.unwrap().local_file().and_then(|file| file.parent().map(Path::to_path_buf));
    let output = syn::parse(input).and_then(|input: Input| expand(&input, folder));
    output.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// What the macro stands for; `folder` is that of the file which a span lies in.
fn expand(Input { runtime, source }: &Input, folder: impl Fn(Span) -> Option<PathBuf>) -> syn::Result<TokenStream> {
    let path = absolute(source, folder)?;
    let fail = |message: String| syn::Error::new(source.span(), format!("{}: {message}", path.display()));
    let bytes = std::fs::read(&path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    Program::new_checked(&bytes)
        .map_err(|error| fail(format!("is no device program for this version of convrnn-runtime: {error}")))?;
    let checksum = Prelude::at(&bytes, 0).crc;
    let text = path.to_str().ok_or_else(|| fail("the path is not UTF-8: move the file".to_owned()))?;
    let variables = source.variables();
    Ok(quote! {{
        // With the variables and the file the compiler looks again when they change.
        #(const _: &str = env!(#variables);)*
        static PROGRAM: &#runtime::Aligned<[u8]> = &#runtime::Aligned(*include_bytes!(#text));
        #runtime::BuiltIn::assume_verified(&PROGRAM.0, #checksum)
    }})
}

fn absolute(source: &Source, folder: impl Fn(Span) -> Option<PathBuf>) -> syn::Result<PathBuf> {
    let path = PathBuf::from(source.text()?);
    if path.is_absolute() {
        return Ok(path);
    }
    let fail = |message: &str| syn::Error::new(source.span(), format!("{}: {message}", path.display()));
    let folder =
        folder(source.span()).ok_or_else(|| fail("it is not known in which file this stands: name the whole path"))?;
    std::path::absolute(folder.join(&path)).map_err(|error| fail(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, folder: Option<&Path>) -> String {
        let input = syn::parse_str::<Input>(&format!("convrnn_runtime, {text}"));
        let expanded = input.and_then(|input| expand(&input, |_| folder.map(Path::to_path_buf)));
        expanded.expect_err("it is refused").to_string()
    }

    #[test]
    fn what_is_no_program_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("net.crnn"), b"CRNN but no program").unwrap();
        for text in ["\"net.crnn\"", "concat!(\"net\", \".crnn\",)"] {
            let found = message(text, Some(folder.path()));
            assert!(found.contains("net.crnn: is no device program") && found.contains("cut short"), "{found}");
        }
        let found = message("\"other.crnn\"", Some(folder.path()));
        assert!(found.contains("other.crnn: cannot be read"), "{found}");
        let found = message("\"net.crnn\"", None);
        assert!(found.contains("name the whole path"), "{found}");
    }

    #[test]
    fn other_input_is_refused_with_what_is_expected() {
        for text in ["3", "net", "file!(\"net\")"] {
            let found = message(text, None);
            assert!(found.contains("expected a path, env!(\"NAME\") or concat!"), "{text}: {found}");
        }
        assert_eq!(message("env!(\"CONVRNN_NO_SUCH_VARIABLE\", \"set it\")", None), "set it");
        let found = message("concat!(env!(\"CONVRNN_NO_SUCH_VARIABLE\"), \"/net.crnn\")", None);
        assert!(found.contains("CONVRNN_NO_SUCH_VARIABLE is not set"), "{found}");
        assert!(message("\"a\" \"b\"", None).contains("unexpected"));
    }
}
