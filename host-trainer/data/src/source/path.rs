//! Where the path ends in the text after `--data`, and what `~` means.

use std::path::{Path, PathBuf};

/// The path and the options behind it.
type Cut<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// Takes a text like `my, data/a=b,size=32` apart: the path is the longest part, up to a comma or the end, that exists.
/// Where none does, what looks like options at the end are options.
pub fn cut(text: &str) -> Result<Cut<'_>, String> {
    let ends =
        || text.match_indices(',').map(|(at, _)| at).chain([text.len()]).collect::<Vec<usize>>().into_iter().rev();
    let exists = |end: &usize| expand(&text[..*end]).is_ok_and(|path| path.exists());
    if let Some(end) = ends().find(exists) {
        let rest = text[end..].strip_prefix(',').map_or(Ok(Vec::new()), options);
        return rest.map(|options| (&text[..end], options)).map_err(|piece| {
            format!("`{piece}` behind the path `{}` is no option; options are written key=value", &text[..end])
        });
    }
    // From the end, as long as pieces are options.
    let mut end = text.len();
    while let Some(at) = text[..end].rfind(',').filter(|&at| option(&text[at + 1..end]).is_some()) {
        end = at;
    }
    let given = text[end..].strip_prefix(',').map_or(Ok(Vec::new()), options);
    Ok((&text[..end], given.unwrap_or_default()))
}

/// Takes a text that has no path apart.
pub fn options_only(text: &str) -> Result<Cut<'_>, String> {
    match text {
        "" => Ok(("", Vec::new())),
        _ => options(text)
            .map(|options| ("", options))
            .map_err(|piece| format!("`{piece}` is no option; write `rendered:size=28,noise=20`")),
    }
}

/// The pieces between commas; the first one that is no option as an error.
fn options(text: &str) -> Result<Vec<(&str, &str)>, &str> {
    text.split(',').map(|piece| option(piece).ok_or(piece)).collect()
}

fn option(piece: &str) -> Option<(&str, &str)> {
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    piece.split_once('=').filter(|(key, _)| is_key(key))
}

/// The path with the home folder in place of `~` at its start; `./~` is a file of that name.
pub fn expand(path: &str) -> Result<PathBuf, String> {
    let below = match path.strip_prefix('~') {
        Some("") => "",
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => return Ok(Path::new(path).to_path_buf()),
    };
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| format!("`{path}`: there is no home folder; write the whole path"))?;
    Ok(if below.is_empty() { home } else { home.join(below) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_part_that_exists_is_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        for name in ["a", "a,b=c", "my, data", "d=e"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        for (text, path, options) in [
            ("a", "a", vec![]),
            ("a,size=3", "a", vec![("size", "3")]),
            ("a,b=c", "a,b=c", vec![]),
            ("a,b=c,size=3,b=4", "a,b=c", vec![("size", "3"), ("b", "4")]),
            ("my, data,short=9", "my, data", vec![("short", "9")]),
            ("d=e", "d=e", vec![]),
            ("nowhere, at all=x,size=3", "nowhere, at all=x", vec![("size", "3")]),
        ] {
            assert_eq!(cut(&at(text)).unwrap(), (at(path).as_str(), options), "{text}");
        }
        let error = cut(&at("a,lazy")).unwrap_err();
        assert!(error.contains("`lazy` behind the path") && error.contains("key=value"), "{error}");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand("~").unwrap(), home);
        assert_eq!(expand("~/data/x").unwrap(), home.join("data/x"));
        for other in ["./~", "a/~/b", "~other/x", "/x"] {
            assert_eq!(expand(other).unwrap(), Path::new(other));
        }
    }
}
