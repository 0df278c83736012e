//! Newer tags: which tag of a repository continues the numbers of another one.

/// A tag as `v1.29.1-alpine`: what is before the numbers, the numbers, what is after them.
fn parts(tag: &str) -> Option<(&str, Vec<u64>, &str)> {
    let start = usize::from(tag.starts_with('v'));
    let rest = &tag[start..];
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let numbers = rest[..end].split('.').map(|number| number.parse().ok());
    Some((&tag[..start], numbers.collect::<Option<_>>()?, &rest[end..]))
}

/// The tag with the highest numbers, when they are higher than those of `tag`. Only tags of the same
/// form count: as many numbers, and the same text before and after them, so that `1.29-alpine` is
/// not followed by `1.30`, nor `1.29` by `1.29.4` or `1.30-rc.1`.
///
/// # Examples
///
/// ```
/// use windlass::image::newer_tag;
/// let tags = ["1.29-alpine", "1.30-alpine", "1.31-alpine-perl", "1.31", "latest"];
/// assert_eq!(newer_tag("1.29-alpine", tags), Some("1.30-alpine"));
/// assert_eq!(newer_tag("latest", tags), None);
/// ```
pub fn newer_tag<'a>(tag: &str, tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (before, mut numbers, after) = parts(tag)?;
    let mut newest = None;
    for other in tags {
        let Some((other_before, other_numbers, other_after)) = parts(other) else {
            continue;
        };
        let same_form =
            (other_before, other_after) == (before, after) && other_numbers.len() == numbers.len();
        if same_form && other_numbers > numbers {
            (newest, numbers) = (Some(other), other_numbers);
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_tag_has_the_same_form() {
        const TAGS: [&str; 12] = [
            "latest",
            "1",
            "2",
            "1.9",
            "1.10",
            "v1.11.0",
            "1.10.2",
            "1.10.10",
            "1.10.10-rc.1",
            "1.11.0-alpine",
            "1.6.39-debian-12-r1",
            "99999999999999999999.0.0",
        ];
        let cases = [
            ("1", Some("2")),
            ("1.8", Some("1.10")),
            ("1.10", None),
            ("1.10.2", Some("1.10.10")),
            ("1.10.1-alpine", Some("1.11.0-alpine")),
            ("v1.0.0", Some("v1.11.0")),
            ("1.6.7-debian-10-r12", None),
            ("latest", None),
            ("", None),
            ("v", None),
            ("1..2", None),
        ];
        for (tag, want) in cases {
            assert_eq!(newer_tag(tag, TAGS), want, "{tag}");
        }
    }
}
