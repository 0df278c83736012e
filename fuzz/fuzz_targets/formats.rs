//! JSON and TOML: what is written reads back as the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::shown;
use windlass_helm::json::{from_json, to_json, to_json_pretty, to_json_raw};
use windlass_helm::toml::{from_toml, to_toml};
use windlass_helm::value::Value;

fuzz_target!(|data: &[u8]| {
    json(data);
    toml(data);
});

fn json(data: &[u8]) {
    let Ok(value) = from_json(data) else { return };
    let text = to_json(&value).expect("what was JSON can be JSON");
    for write in [to_json_pretty, to_json_raw] {
        let other = write(&value).expect("what was JSON can be JSON");
        let again = from_json(&other).expect("what is written can be read");
        assert_eq!(Ok(&text), to_json(&again).as_ref());
    }
}

fn toml(data: &[u8]) {
    let time = |time: &_| Value::from(format!("{time:?}"));
    let Ok(value) = from_toml(data, &time).map(Value::Map) else {
        return;
    };
    let (Some(before), Ok(text)) = (shown(&value), to_toml(&value)) else {
        return;
    };
    let again = from_toml(&text, &time).expect("what is written can be read");
    assert_eq!(
        Some(before),
        shown(&Value::Map(again)),
        "through {}",
        text.to_text()
    );
}
