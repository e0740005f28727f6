//! Numbers with the nouns that they count.

/// What is counted, of several and of one. A phrase stands before the noun that begins it.
const NOUNS: [(&str, &str); 10] = [
    ("links that lead back to a folder above them", "link that leads back to a folder above it"),
    ("links that lead", "link that leads"),
    ("names that lead", "name that leads"),
    ("images", "image"),
    ("classes", "class"),
    ("files", "file"),
    ("folders", "folder"),
    ("labels", "label"),
    ("batches", "batch"),
    ("epochs", "epoch"),
];

/// A number and what is counted, which is given in the plural: `3 hidden files`, `1 hidden file`.
pub fn counted(count: usize, plural: &str) -> String {
    if count != 1 {
        return format!("{count} {plural}");
    }
    let first = NOUNS.iter().filter_map(|(several, one)| Some((word(plural, several)?, several, one)));
    // Of several at one place the first holds, the longest.
    match first.min_by_key(|(at, ..)| *at) {
        Some((at, several, one)) => format!("1 {}{one}{}", &plural[..at], &plural[at + several.len()..]),
        None => format!("1 {plural}"),
    }
}

/// Where whole words stand in a text.
fn word(text: &str, words: &str) -> Option<usize> {
    let is_whole = |&(at, _): &(usize, &str)| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        before.is_none_or(char::is_whitespace) && after.is_none_or(|letter| !letter.is_alphanumeric())
    };
    text.match_indices(words).find(is_whole).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_is_singular() {
        for (plural, one) in [
            ("images", "1 image"),
            ("damaged images", "1 damaged image"),
            ("hidden files", "1 hidden file"),
            ("`.images` files", "1 `.images` file"),
            ("files without an extension", "1 file without an extension"),
            ("images outside the splits", "1 image outside the splits"),
            ("special files (sockets, pipes, devices)", "1 special file (sockets, pipes, devices)"),
            ("links that lead nowhere", "1 link that leads nowhere"),
            ("links that lead back to a folder above them", "1 link that leads back to a folder above it"),
            ("names that lead out of the archive", "1 name that leads out of the archive"),
            ("classes", "1 class"),
            ("sheep", "1 sheep"),
        ] {
            assert_eq!(counted(1, plural), one);
            assert_eq!(counted(0, plural), format!("0 {plural}"));
            assert_eq!(counted(2, plural), format!("2 {plural}"));
        }
    }
}
