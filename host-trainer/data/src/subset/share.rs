//! How many images are held out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many images are held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub enum Share {
    /// So many; 0 for none.
    Images(usize),
    /// So many of a hundred, more than 0 and less than 100.
    Percent(f64),
}

/// A share as files have it: `600`, `"600"` or `"10%"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(usize),
    Text(String),
}

impl TryFrom<Text> for Share {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        match text {
            Text::Number(images) => Ok(Share::Images(images)),
            Text::Text(text) => text.parse(),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> String {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Images(images) => write!(formatter, "{images}"),
            Share::Percent(percent) => write!(formatter, "{percent}%"),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.trim().strip_suffix('%') {
            Some(percent) => {
                percent.trim().parse().ok().filter(|percent| *percent > 0.0 && *percent < 100.0).map(Share::Percent)
            }
            None => text.trim().parse().ok().map(Share::Images),
        };
        share.ok_or_else(|| {
            format!("expected a number of images (600) or a share (10%, between 0% and 100%), found `{text}`")
        })
    }
}

impl Share {
    /// Number of images of a set of `total`: a percentage is rounded, to 1 at least.
    pub fn of(self, total: usize) -> usize {
        match self {
            Share::Images(images) => images,
            Share::Percent(percent) => ((total as f64 * percent / 100.0).round() as usize).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written() {
        for (text, expected) in [
            ("600", Share::Images(600)),
            ("0", Share::Images(0)),
            ("10%", Share::Percent(10.0)),
            (" 2.5 % ", Share::Percent(2.5)),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!(share, expected);
            assert_eq!(share.to_string().parse(), Ok(expected));
        }
        for text in ["", "%", "0%", "100%", "-3", "ten", "NaN%", "1.5"] {
            let error = text.parse::<Share>().unwrap_err();
            assert!(error.contains("expected a number of images (600) or a share (10%"), "{error}");
        }
        assert_eq!([Share::Percent(10.0).of(192), Share::Percent(10.0).of(3), Share::Images(7).of(3)], [19, 1, 7]);
    }
}
