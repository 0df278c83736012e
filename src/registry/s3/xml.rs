//! The few elements that are read of the answers of S3 and STS.

/// The text of the first element of a name.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = after.split_once(&format!("</{name}>"))?;
    Some(unescaped(inner))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, behind)) = after.split_once(';') else {
            plain.push('&');
            rest = after;
            continue;
        };
        let number = name.strip_prefix('#').and_then(|number| {
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)
        });
        let meant = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number,
        };
        match meant {
            Some(meant) => {
                plain.push(meant);
                rest = behind;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn elements_are_found_and_unescaped() {
        let text =
            "<?xml?><E><Code>A&amp;B &lt;&#x41;&#66;&nope; &</Code><Key>1</Key><Key>2</Key><Key>";
        assert_eq!(element(text, "Code").unwrap(), "A&B <AB&nope; &");
        assert_eq!(element(text, "Key").unwrap(), "1");
        assert_eq!(element(text, "Message"), None);
    }
}
