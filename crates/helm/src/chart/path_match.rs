//! Go's `filepath.Match` on Unix: the patterns of `.helmignore` and `--show-only`.
//!
//! Follows `path/filepath/match.go`. The other glob of Helm, that of `.Files.Glob`, is in `glob.rs`.

/// A pattern that Go calls malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub(super) struct BadPattern;

/// Whether the whole of `name` matches the pattern.
///
/// # Errors
/// [`BadPattern`] for an unclosed class, a bad range or an escape at the end.
pub(super) fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let (mut pattern, mut name): (&[u8], &[u8]) = (pattern.as_bytes(), name.as_bytes());
    while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        if let Some(tail) = match_chunk(chunk, name)?
            && (tail.is_empty() || !pattern.is_empty())
        {
            name = tail;
            continue;
        }
        if star && let Some(tail) = skip_to_match(chunk, name, pattern.is_empty())? {
            name = tail;
            continue;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Tries the chunk after a star at every later place of this path element.
fn skip_to_match<'n>(
    chunk: &[u8],
    name: &'n [u8],
    last: bool,
) -> Result<Option<&'n [u8]>, BadPattern> {
    for at in 0..name.len() {
        if name[at] == b'/' {
            break;
        }
        if let Some(tail) = match_chunk(chunk, &name[at + 1..])?
            && (!last || tail.is_empty())
        {
            return Ok(Some(tail));
        }
    }
    Ok(None)
}

/// Cuts off leading stars and the literal chunk after them.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    let at = at.min(pattern.len());
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a chunk without stars at the beginning of a text and returns what is left of the text.
/// The chunk is read to its end in any case, so that malformed ones are always reported.
fn match_chunk<'n>(mut chunk: &[u8], text: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    let mut rest = Some(text);
    while let Some(&first) = chunk.first() {
        if rest.is_some_and(<[u8]>::is_empty) {
            rest = None;
        }
        match first {
            b'[' => (chunk, rest) = match_class(chunk, rest)?,
            b'?' => {
                rest = rest.filter(|text| text[0] != b'/');
                rest = rest.map(|text| &text[first_rune(text).1..]);
                chunk = &chunk[1..];
            }
            _ => {
                if first == b'\\' {
                    chunk = &chunk[1..];
                }
                let byte = *chunk.first().ok_or(BadPattern)?;
                rest = rest.filter(|text| text[0] == byte).map(|text| &text[1..]);
                chunk = &chunk[1..];
            }
        }
    }
    Ok(rest)
}

type Class<'p, 'n> = (&'p [u8], Option<&'n [u8]>);

/// Matches one `[…]` class.
fn match_class<'p, 'n>(
    chunk: &'p [u8],
    text: Option<&'n [u8]>,
) -> Result<Class<'p, 'n>, BadPattern> {
    let (rune, width) = text.map_or(('\0', 0), first_rune);
    let mut chunk = &chunk[1..];
    let negated = chunk.first() == Some(&b'^');
    if negated {
        chunk = &chunk[1..];
    }
    let mut matched = false;
    let mut ranges = 0;
    loop {
        if chunk.first() == Some(&b']') && ranges > 0 {
            chunk = &chunk[1..];
            break;
        }
        let low;
        (low, chunk) = class_rune(chunk)?;
        let mut high = low;
        if chunk.first() == Some(&b'-') {
            (high, chunk) = class_rune(&chunk[1..])?;
        }
        matched |= low <= rune && rune <= high;
        ranges += 1;
    }
    let rest = text
        .filter(|_| matched != negated)
        .map(|text| &text[width..]);
    Ok((chunk, rest))
}

/// One character of a class, possibly escaped.
fn class_rune(chunk: &[u8]) -> Result<(char, &[u8]), BadPattern> {
    let mut chunk = chunk;
    match chunk.first() {
        None | Some(b'-' | b']') => return Err(BadPattern),
        Some(b'\\') => chunk = &chunk[1..],
        Some(_) => {}
    }
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let (rune, width) = first_rune(chunk);
    let rest = &chunk[width..];
    if rest.is_empty() {
        return Err(BadPattern);
    }
    Ok((rune, rest))
}

/// The first character of a text and its width; a byte that is no character counts as U+FFFD.
fn first_rune(text: &[u8]) -> (char, usize) {
    let (rune, width) = crate::value::rune::decode_rune(text);
    (
        char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER),
        width.max(1).min(text.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::path_match;

    #[test]
    fn agrees_with_go_on_its_own_table() {
        for (pattern, name, expected) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "a", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("ab[^c]", "abc", Ok(false)),
            ("a\\*b", "a*b", Ok(true)),
            ("a?b", "a☺b", Ok(true)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("a?b", "a/b", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[-]", "-", Err(())),
            ("[x-]", "x", Err(())),
            ("[-x]", "x", Err(())),
            ("[", "a", Err(())),
            ("[^bc", "a", Err(())),
            ("a[", "ab", Err(())),
            ("a[", "x", Err(())),
            ("a/b[", "x", Err(())),
            ("*x", "xxx", Ok(true)),
            ("templates/.?*", "templates/.git", Ok(true)),
        ] {
            let got = path_match(pattern, name).map_err(|_| ());
            assert_eq!(got, expected, "{pattern} {name}");
        }
    }
}
