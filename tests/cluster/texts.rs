//! Texts arrive in the cluster as they are written, whatever characters they hold.

use crate::support::lab;
use base64::Engine as _;
use serde_json::{Map, Value, json};
use windlass::deploy;

/// Texts that a reader of YAML could take for something else.
fn awkward() -> Map<String, Value> {
    let range = |first: u32, last: u32| {
        (first..=last)
            .filter_map(char::from_u32)
            .collect::<String>()
    };
    let mut texts = vec![
        range(0x01, 0x1f),
        range(0x20, 0xff),
        range(0x2000, 0x2070),
        range(0xd7f0, 0xe010),
        range(0xfdc0, 0xfe00),
        range(0xff00, 0xffff),
        range(0x1_f600, 0x1_f610),
        "\u{1_0000}\u{1_fffe}\u{1_ffff}\u{10_fffe}\u{10_ffff}".to_owned(),
    ];
    for char in [
        '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\n', '\r', '\t', ' ',
    ] {
        texts.extend([
            char.to_string(),
            format!("{char}{char}"),
            format!("a  {char}  b"),
            format!(" {char}a{char} "),
            format!("\\{char}"),
        ]);
    }
    let yaml = [
        "",
        "~",
        "null",
        "yes",
        "on",
        "010",
        "1e3",
        ".inf",
        "2026-11-21",
        "<<",
        "=",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "# a",
        "*a",
        "&a b",
        "!a",
        "%YAML 1.1",
        "@a",
        "`a",
        "{{ a }}",
        "|\n a",
        ">-\n a",
        "---",
        "\n---\n",
        "...",
        "\r\nwindows\r\n",
        "\ta\t\n\tb ",
        "\\u0085",
        "\\N\\L\\P",
        "'a'",
        "\"a\"",
        "\\",
        "\\\\\"",
        "😀 é 日本語",
    ];
    texts.extend(yaml.map(str::to_owned));
    let named = |(index, text)| (format!("t{index}"), Value::from(text));
    texts.into_iter().enumerate().map(named).collect()
}

#[test]
fn every_text_arrives_as_it_is_and_stays_unchanged() {
    lab(async |mut lab| {
        let texts = awkward();
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts",
            "annotations": {"example.com/text": texts["t1"]}}, "data": texts});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "texts"}, "stringData": {"a": texts["t1"]}});
        lab.deploy_well("web", &[config.clone(), secret.clone()])
            .await;
        let live = lab.get("", "ConfigMap", "texts").await.unwrap();
        for (key, text) in &awkward() {
            assert_eq!(live.get(&["data", key]), Some(text), "{key}");
        }
        assert_eq!(live.annotation("example.com/text"), texts["t1"].as_str());
        let secret_now = lab.get("", "Secret", "texts").await.unwrap();
        let stored =
            base64::engine::general_purpose::STANDARD.decode(secret_now.text(&["data", "a"]));
        assert_eq!(String::from_utf8(stored.unwrap()).unwrap(), texts["t1"]);

        let mut again = lab.another().await;
        let before = again.cluster.requests().writes();
        let request = again.request("web", &[config, secret]);
        let prepared = again.prepare(request).await.unwrap();
        assert!(prepared.changes().next().is_none());
        let options = deploy::Options::new(jiff::Timestamp::now());
        again.run_with(&prepared, &options).await.unwrap();
        assert_eq!(again.cluster.requests().writes(), before);
    });
}
