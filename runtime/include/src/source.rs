//! Where the program is: what stands between the macro's brackets.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{
    LitStr, Token, parenthesized,
    parse::{Parse, ParseStream},
};

/// A path, or a variable of the compiler's environment that holds one.
pub(crate) enum Source {
    Path(LitStr),
    Variable { name: LitStr, message: Option<LitStr> },
}

impl Parse for Source {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::Path(input.parse()?));
        }
        let name: Ident = input.parse()?;
        if name != "env" {
            return Err(syn::Error::new(name.span(), "expected a path or env!(\"NAME\", \"message\")"));
        }
        input.parse::<Token![!]>()?;
        let arguments;
        parenthesized!(arguments in input);
        let name = arguments.parse()?;
        let comma: Option<Token![,]> = arguments.parse()?;
        let message = if comma.is_some() && !arguments.is_empty() { Some(arguments.parse()?) } else { None };
        Ok(Self::Variable { name, message })
    }
}

impl Source {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Path(path) => path.span(),
            Self::Variable { name, .. } => name.span(),
        }
    }

    pub(crate) fn path(&self) -> syn::Result<String> {
        match self {
            Self::Path(path) => Ok(path.value()),
            Self::Variable { name, message } => std::env::var(name.value()).map_err(|_| {
                let otherwise = || format!("{} is not set: set it to the path of a program", name.value());
                syn::Error::new(name.span(), message.as_ref().map_or_else(otherwise, LitStr::value))
            }),
        }
    }

    /// Makes the compiler look again when the variable changes.
    pub(crate) fn tracking(&self) -> TokenStream {
        match self {
            Self::Path(_) => TokenStream::new(),
            Self::Variable { name, .. } => quote! { const _: &str = env!(#name); },
        }
    }
}
