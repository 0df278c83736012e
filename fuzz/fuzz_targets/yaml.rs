//! YAML: what is written reads back as the same value, and is written the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::{has_merge_key, shown, with_line_break};
use windlass_helm::yaml::{self, emit};

fuzz_target!(|data: &[u8]| {
    // The parts that only read must not fail in other ways than by an error.
    if let Ok(documents) = yaml::parse(data) {
        for document in &documents {
            let _ = yaml::to_json_value(document, document.root());
        }
    }
    let _ = (yaml::documents(data), yaml::split_documents(data));
    let Ok(value) = yaml::from_yaml(data) else {
        return;
    };
    let Some(before) = shown(&value).filter(|text| !has_merge_key(text)) else {
        return;
    };
    for write in [emit::to_yaml, emit::to_yaml_pretty] {
        let Ok(text) = write(&value) else { continue };
        let again = match yaml::from_yaml(&with_line_break(&text)) {
            Ok(again) => again,
            // Go's library writes such a text as a block, and refuses to read it.
            Err(error) if error.to_string().contains("found a tab character") => continue,
            Err(error) => panic!("{}: {error}", text.to_text()),
        };
        assert_eq!(
            Some(&before),
            shown(&again).as_ref(),
            "through {}",
            text.to_text()
        );
        // A negative zero loses its sign when it is read, in Helm, too.
        if !text.to_text().contains("-0") {
            assert_eq!(Ok(text), write(&again));
        }
    }
});
