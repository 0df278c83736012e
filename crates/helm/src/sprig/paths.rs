//! Paths as text: `base`, `dir`, `clean`, `ext`, `isAbs`, and the same with `os` in front.
//!
//! Follows Go 1.26 `path`; `filepath` does the same on Unix, and templates must not depend on where
//! they are rendered.

use super::args::{bytes, function, text};
use crate::template::{Function, Param};

const S: &[Param] = &[Param::Str];

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("base", S, |_, a| bytes(base(text(a, 0)))),
    function("osBase", S, |_, a| bytes(base(text(a, 0)))),
    function("dir", S, |_, a| bytes(dir(text(a, 0)))),
    function("osDir", S, |_, a| bytes(dir(text(a, 0)))),
    function("clean", S, |_, a| bytes(clean(text(a, 0)))),
    function("osClean", S, |_, a| bytes(clean(text(a, 0)))),
    function("ext", S, |_, a| bytes(ext(text(a, 0)))),
    function("osExt", S, |_, a| bytes(ext(text(a, 0)))),
    function("isAbs", S, |_, a| Ok(text(a, 0).starts_with(b"/").into())),
    function("osIsAbs", S, |_, a| Ok(text(a, 0).starts_with(b"/").into())),
];

/// The part after the last slash.
fn after_slash(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let slashes = path.iter().rev().take_while(|byte| **byte == b'/').count();
    match after_slash(&path[..path.len() - slashes]) {
        b"" => b"/",
        name => name,
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    clean(&path[..path.len() - after_slash(path).len()])
}

fn ext(path: &[u8]) -> &[u8] {
    let name = after_slash(path);
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(at) => &name[at..],
        None => b"",
    }
}

pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => drop(parts.pop()),
                None if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &*joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;

    #[test]
    fn takes_paths_apart() {
        for (path, base, dir, clean, ext) in [
            ("", ".", ".", ".", ""),
            ("/", "/", "/", "/", ""),
            ("a/b.tar.gz", "b.tar.gz", "a", "a/b.tar.gz", ".gz"),
            ("/../a//./b/../c/", "c", "/a/c", "/a/c", ""),
            ("../../x/..", "..", "../../x", "../..", "."),
            ("a.b/c", "c", "a.b", "a.b/c", ""),
        ] {
            assert_eq!(call("base", &[path.into()]), base, "{path}");
            assert_eq!(call("osDir", &[path.into()]), dir, "{path}");
            assert_eq!(call("clean", &[path.into()]), clean, "{path}");
            assert_eq!(call("ext", &[path.into()]), ext, "{path}");
        }
        assert_eq!(call("isAbs", &["/a".into()]), "true");
    }
}
