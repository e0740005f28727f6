//! Where the program is: what stands between the macro's brackets.

use proc_macro2::{Ident, Span};
use syn::{
    LitStr, Path, Token, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// What is expected where there is something else.
const EXPECTED: &str = "expected a path, env!(\"NAME\") or concat!(..) of these";

/// The crate that has what the macro names, and the program.
pub(crate) struct Input {
    pub runtime: Path,
    pub source: Source,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let runtime = input.call(Path::parse_mod_style)?;
        input.parse::<Token![,]>()?;
        let source = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { runtime, source })
    }
}

/// A path, a variable of the compiler's environment that holds one, or parts of a path.
pub(crate) enum Source {
    Text(LitStr),
    Variable { name: LitStr, message: Option<LitStr> },
    Parts { name: Ident, parts: Vec<Source> },
}

impl Parse for Source {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::Text(input.parse()?));
        }
        let expected = |span: Span| syn::Error::new(span, EXPECTED);
        let name: Ident = input.parse().map_err(|error: syn::Error| expected(error.span()))?;
        input.parse::<Token![!]>().map_err(|_| expected(name.span()))?;
        let arguments;
        parenthesized!(arguments in input);
        if name == "env" {
            let name = arguments.parse()?;
            let comma: Option<Token![,]> = arguments.parse()?;
            let message = if comma.is_some() && !arguments.is_empty() { Some(arguments.parse()?) } else { None };
            arguments.parse::<Option<Token![,]>>()?;
            return Ok(Self::Variable { name, message });
        }
        if name == "concat" {
            let parts = Punctuated::<Self, Token![,]>::parse_terminated(&arguments)?;
            return Ok(Self::Parts { name, parts: parts.into_iter().collect() });
        }
        Err(expected(name.span()))
    }
}

impl Source {
    /// Of what the user wrote first.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Text(text) => text.span(),
            Self::Variable { name, .. } => name.span(),
            Self::Parts { name, .. } => name.span(),
        }
    }

    /// The path.
    pub(crate) fn text(&self) -> syn::Result<String> {
        match self {
            Self::Text(text) => Ok(text.value()),
            Self::Variable { name, message } => std::env::var(name.value()).map_err(|error| {
                let otherwise = || match &error {
                    std::env::VarError::NotPresent => format!("{} is not set: set it to a path", name.value()),
                    std::env::VarError::NotUnicode(_) => {
                        format!("{} is not UTF-8: set it to another path", name.value())
                    }
                };
                syn::Error::new(name.span(), message.as_ref().map_or_else(otherwise, LitStr::value))
            }),
            Self::Parts { parts, .. } => parts.iter().map(Self::text).collect(),
        }
    }

    /// The variables that it is made of.
    pub(crate) fn variables(&self) -> Vec<&LitStr> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Variable { name, .. } => vec![name],
            Self::Parts { parts, .. } => parts.iter().flat_map(Self::variables).collect(),
        }
    }
}
