//! Tests that span crates: what they share.

pub mod markdown;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in a folder of the checkout")
}

/// Folder of `convrnn-train` and `convrnn-export`, built if need be.
///
/// # Panics
/// If they do not build.
pub fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Everything, as the tests themselves are built: a part alone would ask for its dependencies with other features,
        // and so build them anew.
        let status = Command::new(env!("CARGO"))
            .current_dir(root())
            .args(["build", "--quiet", "--locked", "--workspace", "--all-targets"])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the programs build");
        // A test's own executable lies in <target>/debug/deps.
        let test = std::env::current_exe().expect("a test knows its executable");
        test.ancestors().nth(2).expect("a test lies two folders deep").to_path_buf()
    })
}
