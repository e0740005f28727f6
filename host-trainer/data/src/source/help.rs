//! What `--help` says about `--data`.

/// Help for `--data`, one line a form.
pub const DATA_HELP: &str = "\
mnist:DIR        IDX files of MNIST's form (28x28, 10 classes), gzipped or not
idx:DIR          IDX files of any size
cluttered:DIR    digits of such files among pieces of others, behind occluders, in noise
                 options: seed, clutter, occluders, noise, shift
folder:PATH      image folder or .tar, .tar.zst, .tar.gz, .zip: train/<class>/..., val/<class>/...,
                 test/<class>/...; also called training; valid, validation; testing (one folder a split);
                 at the path itself or in the one folder that wraps all images. JPEG, PNG, WebP, BMP, TIFF,
                 GIF (first frame), PPM;
                 hidden files and folders (.git, __MACOSX) are left out, links are followed; names that differ in
                 Unicode's composition alone are one class (NFC); a folder called train among images without
                 classes is one of them with labels=none
                 options: size=N (crop), short=N (shorter side before the crop), channels=1|3, decode=now|lazy,
                 background=white|black|gray|R/G/B|none (behind alpha; white if not given, none drops alpha),
                 orientation=apply|keep (Exif; applied if not given, unlike torchvision's ImageFolder),
                 skip-damaged=no|yes, labels=folders|none (none: every image, for features, without classes)
rendered         digits in clutter, rendered by the program
                 options: classes, size, train, validation, test, seed, clutter, occluders, noise, shift,
                 rotation, warp
every form       train-limit=N, validation-limit=N, test-limit=N: that many images of a split, drawn evenly
                 at random, before anything else is drawn from it
options follow after commas: folder:photos.tar,size=128   rendered:size=32,noise=30
paths            the longest part of the text that exists is the path, commas and equal signs in it included;
                 ~ is the home folder. More: docs/data.md";
