//! From what an archive lists to its files: the last entry of a name holds, and links are followed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::tar::clean;
use super::{Found, LeftOut, Place};

/// Reason of a link whose target is not there.
pub const DANGLING: &str = "links that lead nowhere";
/// Reason of a link to a folder that holds it.
pub const LEADS_BACK: &str = "links that lead back to a folder above them";

/// Links that are followed one after the other for one name; as many as Linux follows.
const MOST_LINKS: usize = 40;
/// Folders reached through links within folders reached through links.
const DEEPEST: usize = 16;

type Files = Vec<(String, Place)>;

/// The files, sorted by name, the folders, and the links that lead nowhere.
pub fn resolve(mut found: Vec<(String, Found)>) -> (Files, Vec<String>, Vec<LeftOut>) {
    bind_hard_links(&mut found);
    // Stable, so that of several entries of a name the last one stays last.
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut files: Files = Vec::with_capacity(found.len());
    let (mut folders, mut links, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = found.into_iter().peekable();
    while let Some((name, found)) = rest.next() {
        if rest.peek().is_some_and(|(next, _)| *next == name) {
            continue;
        }
        match found {
            Found::File(place) => files.push((name, place)),
            Found::Folder => folders.push(name),
            Found::Nothing => lost.push(LeftOut::new(&name, DANGLING)),
            Found::SymbolicLink(target) => links.push((name, Target { path: target, is_from_top: false })),
            Found::HardLink(target) => links.push((name, Target { path: target, is_from_top: true })),
        }
    }
    if links.is_empty() {
        return (files, folders, lost);
    }
    let tree = Tree { files: &files, folders: &folders, links: links.iter().cloned().collect() };
    let mut followed = Followed::default();
    for (name, _) in &links {
        tree.follow(name, name, 0, &mut followed, &mut lost);
    }
    files.extend(followed.files);
    files.sort_by(|(left, _), (right, _)| left.cmp(right));
    files.dedup_by(|(later, _), (earlier, _)| later == earlier);
    folders.extend(followed.folders);
    (files, folders, lost)
}

/// Puts what a hard link names in its place, as unpacking does: what the last entry of that name before the link holds, even
/// where a later entry replaces it. Of a symbolic link it is a second one, with the same target. A name that comes only later
/// is nothing. A name of no entry stays: it may lead through a linked folder.
fn bind_hard_links(found: &mut [(String, Found)]) {
    let targets: HashSet<String> = found.iter().filter_map(|(_, found)| found.hard_target()).collect();
    if targets.is_empty() {
        return;
    }
    let named: HashSet<String> =
        found.iter().filter(|(name, _)| targets.contains(name)).map(|(name, _)| name.clone()).collect();
    let mut before: HashMap<String, Found> = HashMap::new();
    for (name, found) in found {
        if let Some(target) = found.hard_target() {
            match before.get(&target) {
                Some(Found::Folder) => {}
                Some(earlier) => *found = earlier.clone(),
                None if named.contains(&target) => *found = Found::Nothing,
                None => {}
            }
        }
        if targets.contains(name) {
            before.insert(name.clone(), found.clone());
        }
    }
}

impl Found {
    /// The name that a hard link names, none where it leads out of the archive.
    fn hard_target(&self) -> Option<String> {
        match self {
            Found::HardLink(target) => clean(target),
            _ => None,
        }
    }
}

#[derive(Clone)]
struct Target {
    path: String,
    is_from_top: bool,
}

struct Tree<'a> {
    files: &'a [(String, Place)],
    folders: &'a [String],
    links: HashMap<String, Target>,
}

#[derive(Default)]
struct Followed {
    files: Files,
    folders: BTreeSet<String>,
}

impl Tree<'_> {
    /// Adds what `path` leads to under the name `name`.
    fn follow(&self, name: &str, path: &str, depth: usize, followed: &mut Followed, lost: &mut Vec<LeftOut>) {
        let Some(real) = self.real(path) else {
            lost.push(LeftOut::new(name, DANGLING));
            return;
        };
        if let Ok(at) = self.files.binary_search_by(|(file, _)| file.as_str().cmp(&real)) {
            followed.files.push((name.to_string(), self.files[at].1));
            return;
        }
        let inside = format!("{real}/");
        if real.is_empty() || path.starts_with(&inside) || depth == DEEPEST {
            lost.push(LeftOut::new(name, LEADS_BACK));
            return;
        }
        let first = self.files.partition_point(|(file, _)| *file < inside);
        let files = self.files[first..].iter().take_while(|(file, _)| file.starts_with(&inside));
        let links: BTreeSet<&String> = self.links.keys().filter(|link| link.starts_with(&inside)).collect();
        let mut is_there = !links.is_empty() || self.folders.contains(&real);
        for (file, place) in files {
            is_there = true;
            followed.files.push((format!("{name}/{}", &file[inside.len()..]), *place));
        }
        if !is_there {
            lost.push(LeftOut::new(name, DANGLING));
            return;
        }
        followed.folders.insert(name.to_string());
        for link in links {
            self.follow(&format!("{name}/{}", &link[inside.len()..]), link, depth + 1, followed, lost);
        }
    }

    /// The path without links; none where it leads out of the archive or in a circle.
    fn real(&self, path: &str) -> Option<String> {
        let parts = |path: &str| path.split('/').map(String::from).collect::<Vec<String>>();
        let mut pending: VecDeque<String> = parts(path).into();
        let (mut done, mut hops) = (Vec::<String>::new(), 0);
        while let Some(part) = pending.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop()?;
                    continue;
                }
                _ => done.push(part),
            }
            if let Some(target) = self.links.get(&done.join("/")) {
                hops += 1;
                if hops > MOST_LINKS || target.path.starts_with('/') {
                    return None;
                }
                done.truncate(if target.is_from_top { 0 } else { done.len() - 1 });
                for part in parts(&target.path).into_iter().rev() {
                    pending.push_front(part);
                }
            }
        }
        Some(done.join("/"))
    }
}
