//! What a file is taken for, by its name.

/// Extensions of the formats that are read, in small letters.
pub const IMAGE_EXTENSIONS: [&str; 15] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm"];

/// What a file is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An image of a format that is read.
    Image,
    /// Hidden, or within a hidden folder.
    Hidden,
    /// Something else, by its extension in small letters; empty for none.
    Other(String),
}

/// What the file of this name is, `/` between its parts.
pub fn of(name: &str) -> Kind {
    if name.split('/').any(is_hidden_part) {
        return Kind::Hidden;
    }
    let file = name.rsplit('/').next().unwrap_or(name);
    let extension = file.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    if IMAGE_EXTENSIONS.contains(&extension.as_str()) { Kind::Image } else { Kind::Other(extension) }
}

/// Whether a folder or file of this name is hidden: it begins with a dot (`.git`, `.ipynb_checkpoints`, `._1.jpg`), or
/// is `__MACOSX`, which macOS puts into zip archives.
pub fn is_hidden_part(part: &str) -> bool {
    part == "__MACOSX" || (part.starts_with('.') && !matches!(part, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read_in_any_case_and_hidden_parts_hide_what_is_in_them() {
        for name in ["train/cat/1.JPG", "a.webp", "x.y.TIFF", "train/a.b/c.ppm"] {
            assert_eq!(of(name), Kind::Image, "{name}");
        }
        for name in ["train/.git/1.jpg", "__MACOSX/train/cat/1.jpg", "train/cat/._1.jpg", ".DS_Store"] {
            assert_eq!(of(name), Kind::Hidden, "{name}");
        }
        assert_eq!(of("train/cat/1.JPG.xml"), Kind::Other("xml".into()));
        assert_eq!(of("train/cat.d/README"), Kind::Other(String::new()));
    }
}
