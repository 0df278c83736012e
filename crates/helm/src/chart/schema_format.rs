//! The formats of schemas that Go reads otherwise than boon: dates, addresses, UUIDs and URLs. The
//! other formats are boon's own.
//!
//! Follows github.com/santhosh-tekuri/jsonschema v6.0.3 `format.go`.

use crate::sprig::time_parse;
use crate::sprig::url::Url;
use crate::value::quote::quoted;
use boon::Format;
use serde_json::Value;
use std::error::Error;
use std::num::IntErrorKind;

/// The formats, which go in the place of boon's.
pub(super) const FORMATS: [Format; 7] = [
    Format {
        name: "date",
        func: |value| check(value, date),
    },
    Format {
        name: "ipv4",
        func: |value| check(value, ipv4),
    },
    Format {
        name: "uuid",
        func: |value| check(value, uuid),
    },
    Format {
        name: "uri",
        func: |value| check(value, uri),
    },
    Format {
        name: "iri",
        func: |value| check(value, uri),
    },
    Format {
        name: "uri-reference",
        func: |value| check(value, uri_reference),
    },
    Format {
        name: "iri-reference",
        func: |value| check(value, uri_reference),
    },
];

/// Only strings have formats.
fn check(value: &Value, rule: fn(&str) -> Result<(), String>) -> Result<(), Box<dyn Error>> {
    value.as_str().map_or(Ok(()), |text| Ok(rule(text)?))
}

fn date(text: &str) -> Result<(), String> {
    time_parse::check(b"2006-01-02", text.as_bytes())
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<_> = text.split('.').collect();
    if groups.len() != 4 {
        return Err("expected four decimals".to_owned());
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return Err("leading zeros".to_owned());
        }
        let number: i64 = group.parse().map_err(|error: std::num::ParseIntError| {
            let cause = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            format!(
                "strconv.Atoi: parsing {}: {cause}",
                quoted(group.as_bytes())
            )
        })?;
        if !(0..=255).contains(&number) {
            return Err("decimal must be between 0 and 255".to_owned());
        }
    }
    Ok(())
}

fn uuid(text: &str) -> Result<(), String> {
    let groups: Vec<_> = text.split('-').collect();
    if groups.len() != 5 {
        return Err("must have 5 elements".to_owned());
    }
    for (index, (group, size)) in groups.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != size {
            let element = index + 1;
            return Err(format!("element {element} must be {size} characters long"));
        }
        if let Some(odd) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {odd:?}"));
        }
    }
    Ok(())
}

fn uri(text: &str) -> Result<(), String> {
    if Url::parse(text.as_bytes())?.scheme.is_empty() {
        return Err("relative url".to_owned());
    }
    Ok(())
}

fn uri_reference(text: &str) -> Result<(), String> {
    if text.contains('\\') {
        return Err("contains \\".to_owned());
    }
    Url::parse(text.as_bytes()).map(drop)
}
