use std::path::Path;

use super::*;
use crate::folder::FolderOptions;

fn folder(text: &str) -> FolderSource {
    match Source::parse(text).unwrap().kind {
        Kind::Folder(folder) => folder,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_is_read() {
    assert_eq!(Source::parse("mnist:a/b").unwrap().kind, Kind::Mnist("a/b".into()));
    assert_eq!(Source::parse("idx:c").unwrap().kind, Kind::Idx("c".into()));
    assert_eq!(Source::parse("rendered").unwrap().kind, Kind::Rendered(RenderedOptions::default()));
    let expected = RenderedOptions { size: 32, noise: 30, seed: 9, ..RenderedOptions::default() };
    assert_eq!(Source::parse("rendered:size=32,noise=30,seed=9").unwrap().kind, Kind::Rendered(expected));
    let plain = folder("folder:a.tar");
    assert_eq!((plain.path, plain.options, plain.lazy), ("a.tar".into(), FolderOptions::default(), false));
    let options = FolderOptions { channels: 1, size: Some(128), short: Some(146), ..FolderOptions::default() };
    let given = folder("folder:a.tar,size=128,short=146,channels=1,decode=lazy");
    assert_eq!((given.path, given.options, given.lazy), ("a.tar".into(), options, true));
}

#[test]
fn paths_may_hold_commas_colons_and_equals_signs() {
    assert_eq!(folder("folder:C:/my, data/x,size=32").path, Path::new("C:/my, data/x"));
    assert_eq!(folder("folder:a=b").path, Path::new("a=b"));
    assert_eq!(folder("folder:a=b,size=32").path, Path::new("a=b"));
}

#[test]
fn mistakes_are_told_with_the_nearest_word() {
    for (text, part) in [
        ("mnits:x", "did you mean `mnist`?"),
        ("", "unknown kind ``. Known forms:"),
        ("mnist", "a path is missing"),
        ("mnist:", "write `mnist:PATH`"),
        ("folder:x,sise=3", "did you mean `size`?"),
        ("folder:x,size=big", "expected a whole number, found `big`"),
        ("folder:x,size=-1", "expected a whole number"),
        ("folder:x,size=3,size=4", "given twice"),
        ("folder:x,decode=maybe", "`now` or `lazy`"),
        ("folder:x,background=whit", "R/G/B"),
        ("folder:x,background=1/2/256", "R/G/B"),
        ("folder:x,orientation=left", "`keep` or `apply`"),
        ("folder:x,skip-damaged=maybe", "`no` or `yes`"),
        ("mnist:x,background=white", "unknown option `background`. Known here: train-limit"),
        ("rendered:nose=3", "unknown option `nose`, did you mean `noise`? Known here: classes"),
        ("rendered:28", "`28` is no option"),
        ("rendered:classes=11", "expected 2 to 10, found 11"),
        ("mnist:x,size=3", "unknown option `size`"),
    ] {
        let error = Source::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn limits_draw_balanced_parts_and_load_both_splits() {
    let source = Source::parse("rendered:train=300,test=50,train-limit=100").unwrap();
    let (train, test) = (source.load(Split::Train).unwrap(), source.load(Split::Test).unwrap());
    assert_eq!((train.len(), test.len()), (100, 50));
    assert!((0..10).all(|class| (0..100).any(|index| train.label(index) == class)));
    assert!(Source::parse("rendered:test=50,test-limit=51").unwrap().load(Split::Test).is_err());
}

/// Sources without a validation split say so in words and in types; a rendered one has it where asked for.
#[test]
fn splits_that_are_not_there_are_a_typed_error() {
    let source = Source::parse("rendered:train=20,test=10").unwrap();
    assert_eq!(Split::ALL.map(|split| source.has(split).unwrap()), [true, false, true]);
    let error = source.load(Split::Validation).err().unwrap();
    assert!(matches!(error, DataError::Split { wanted: "validation", .. }), "{error}");
    let with = Source::parse("rendered:train=20,test=10,validation=15,validation-limit=12").unwrap();
    assert_eq!(Split::ALL.map(|split| with.has(split).unwrap()), [true; 3]);
    let validation = with.load(Split::Validation).unwrap();
    assert_eq!(validation.len(), 12);
    for split in [Split::Train, Split::Test] {
        let (before, after) = (source.load(split).unwrap(), with.load(split).unwrap());
        assert_eq!(before.len(), after.len());
        for index in 0..before.len() {
            assert_eq!(before.image(index).unwrap(), after.image(index).unwrap(), "other splits stay as they are");
            assert_ne!(before.image(index).unwrap(), validation.image(index % 12).unwrap());
        }
    }
    let error = Source::parse("rendered:validation=15,validation-limit=16").unwrap().load(Split::Validation);
    assert!(error.err().unwrap().to_string().contains("1 to 15"));
}

#[test]
fn a_source_that_moved_has_the_same_options() {
    for (one, other, expected) in [
        ("mnist:a", "mnist:b/c", true),
        ("mnist:a", "idx:a", false),
        ("folder:a,size=32", "folder:b.tar,size=32,decode=lazy", true),
        ("folder:a,size=32", "folder:b.tar,size=28", false),
        ("folder:a,train-limit=5", "folder:b", false),
        ("folder:a,background=white,orientation=apply", "folder:b", true),
        ("folder:a,background=black", "folder:b", false),
        ("cluttered:a,noise=3", "cluttered:b,noise=3", true),
        ("cluttered:a,noise=3", "cluttered:b,noise=4", false),
        ("rendered:noise=3", "rendered:noise=3", true),
        ("rendered:noise=3", "rendered:noise=4", false),
    ] {
        let parse = |text| Source::parse(text).unwrap();
        assert_eq!(parse(one).differs_in_place_only(&parse(other)), expected, "{one} {other}");
        assert_eq!(parse(other).differs_in_place_only(&parse(one)), expected, "{other} {one}");
    }
}

#[test]
fn a_lazy_folder_keeps_its_originals() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/imagenet500.tar"));
    if !path.is_file() {
        eprintln!("skipped: {} is missing", path.display());
        return;
    }
    let text = format!("folder:{},size=128,decode=lazy,validation-limit=3", path.display());
    let set = Source::parse(&text).unwrap().load(Split::Validation).unwrap();
    let original = set.original(1).unwrap();
    assert_eq!(original.shape.height.min(original.shape.width), 192);
    assert_eq!(set.image(1).unwrap().shape.height, 128);
}

#[test]
fn a_recorded_decoding_holds_where_the_text_says_nothing_else() {
    let recorded = Decoding { background: Some([1, 2, 3]), apply_orientation: false };
    for (text, background, apply_orientation) in [
        ("folder:x", Some([1, 2, 3]), false),
        ("folder:x,background=black", Some([0; 3]), false),
        ("folder:x,background=#0a0B0c,orientation=apply", Some([10, 11, 12]), true),
        ("folder:x,background=7/8/9,orientation=keep", Some([7, 8, 9]), false),
        ("folder:x,background=none", None, false),
    ] {
        let decoding = folder(&with_decoding(text, &recorded)).options.decoding;
        assert_eq!(decoding, Decoding { background, apply_orientation }, "{text}");
    }
    let usual = FolderOptions::default().decoding;
    assert_eq!(with_decoding("folder:a,b=c,size=3", &usual), "folder:a,b=c,size=3");
    assert_eq!(with_decoding("mnist:a", &recorded), "mnist:a");
    assert_eq!(with_decoding("folder:x", &Decoding::default()), "folder:x,background=none,orientation=keep");
    assert_eq!(folder("folder:x").options.decoding, Decoding { background: Some([255; 3]), apply_orientation: true });
}
