//! Templates, parsed and run with both profiles: two runs are the same, and `tpl` of a text is what the text gives.
//!
//! Input: the template, then a line `== values` and the values.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use windlass_fuzz::{CHART_YAML, PROFILES, render, sections};
use windlass_helm::value::Str;

/// Words whose meaning is another in a file than in `tpl`: they name the file or define for all.
const ABOUT_FILES: [&[u8]; 3] = [b"define", b"block", b"emplate"];

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut sections = sections(data).into_iter();
    let template = sections.next().unwrap_or_default().1;
    let values = sections.next().unwrap_or_default().1;
    let file = |name: &str, text: &[u8]| (name.to_owned(), Str::from(text));
    // Both charts have the same files, which `{{ . }}` prints.
    let chart = |run: &[u8]| {
        [
            file("Chart.yaml", CHART_YAML.as_bytes()),
            file("values.yaml", &values),
            file("text", &template),
            file("templates/t", run),
        ]
    };
    let (direct, through_tpl) = (
        chart(&template),
        chart(b"{{ tpl (.Files.Get \"text\") . }}"),
    );
    let is_about_files = |word: &&[u8]| template.windows(word.len()).any(|part| part == *word);
    for profile in PROFILES {
        let output = render(&direct, profile);
        assert_eq!(output, render(&direct, profile), "two runs differ");
        if let Ok(output) = output
            && !ABOUT_FILES.iter().any(|word| is_about_files(word))
            && let Ok(output_of_tpl) = render(&through_tpl, profile)
        {
            assert_eq!(output, output_of_tpl, "tpl gives another output");
        }
    }
    Corpus::Keep
});
