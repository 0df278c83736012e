//! The values of secrets stay out of everything that is shown or kept.

use crate::support::{apply, lab};
use serde_json::{Value, json};
use windlass::inventory::PART_OF;
use windlass::plan::Wait;
use windlass::ui::{self, Row};

fn secret(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": data})
}

/// Fails when a text holds a canary, plain or in base64.
fn check(text: &str) {
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains("Y2FuYXJ5"), "{text}");
}

#[test]
fn what_the_server_quotes_when_it_refuses_a_secret_is_hidden() {
    lab(|mut lab| async move {
        let long = format!("canary-{}", "x y".repeat(100));
        let mut labeled = secret(&json!({"p": long}));
        labeled["metadata"]["labels"] = json!({"copy": long});
        let mut misspelt = secret(&json!({}));
        misspelt["data"] = json!({"p": "canary, and no base64"});
        let mut nested = secret(&json!({}));
        nested["data"] = json!({"p": {"inner": ["canary-nested"]}});
        let mut numbers = secret(&json!({"p": {"inner": "canary-text"}}));
        numbers["metadata"]["name"] = "canary-text".into();
        for (refused, word) in [
            (labeled, "metadata.labels"),
            (misspelt, "base64"),
            (nested, ".data.p"),
            (numbers, ".stringData.p"),
        ] {
            let request = lab.request("web", &[refused]);
            let error = lab.prepare(request).await.unwrap_err();
            let shown = format!("{error} {error:?}").replace("Secret/canary-text", "");
            let shown = shown.replace("name: \"canary-text\"", "");
            assert!(shown.contains(word), "{shown}");
            check(&shown);
        }
        check(&format!("{:?}", lab.events));
    });
}

#[test]
fn a_live_value_that_was_replaced_is_hidden_too() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[secret(&json!({"p": "canary-old"}))])
            .await;
        // The new label quotes the value that only the live object has.
        let mut next = secret(&json!({"p": "canary-new"}));
        next["metadata"]["labels"] = json!({"was": "canary-old canary-new"});
        let request = lab.request("web", &[next]);
        let error = lab.prepare(request).await.unwrap_err();
        assert!(error.to_string().contains("<masked> <masked>"), "{error}");
        check(&format!("{error} {error:?}"));
    });
}

#[test]
fn leaves_no_secret_in_events_errors_or_the_record() {
    lab(|mut lab| async move {
        let secret = |value: &str| secret(&json!({"p": value}));
        lab.deploy_well("web", &[secret("canary-aaa")]).await;
        let mut bad = secret("canary-bbb");
        bad["type"] = "kubernetes.io/tls".into();
        let request = lab.request("web", &[bad]);
        let error = lab.prepare(request).await.unwrap_err();
        let record = lab.get("", "Secret", "windlass.web").await.unwrap();
        let record: String = {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(record.text(&["data", "record"]))
                .unwrap();
            String::from_utf8(bytes).unwrap()
        };
        for text in [
            format!("{:?}", lab.events),
            format!("{error} {error:?}"),
            record,
        ] {
            check(&text);
        }
        assert!(
            lab.get("", "Secret", "s")
                .await
                .unwrap()
                .label(PART_OF)
                .is_some()
        );
    });
}

#[test]
fn copies_in_the_annotations_of_other_deployers_are_not_shown() {
    lab(|mut lab| async move {
        let mut theirs = secret(&json!({"p": "canary-live"}));
        theirs["metadata"]["labels"] = json!({"kapp.k14s.io/app": "17"});
        theirs["metadata"]["namespace"] = lab.namespace.clone().into();
        let original = secret(&json!({"p": "canary-original"}));
        theirs["metadata"]["annotations"] = json!({
            "kapp.k14s.io/original": original.to_string(),
            "kapp.k14s.io/original-diff": "canary-diff",
            "kapp.k14s.io/original-diff-full": "canary-full",
            "example.com/packed": "H4sIAAAAAAAA/canary6pWSspPqlSyUlAqLU4tKkpVqgUAAAD",
            "example.com/note": "was canary-live",
        });
        apply(&lab.cluster, theirs).await;
        let mut request = lab.request("web", &[secret(&json!({"p": "canary-next"}))]);
        request.take_from.push("*".to_owned());
        let prepared = lab.prepare(request).await.unwrap();
        let rows: Vec<Row<'_>> = prepared
            .changes()
            .map(|change| (change, Wait::None))
            .collect();
        let shown = ui::Shown {
            whole_objects: true,
            noops: true,
            context: 100,
            ..ui::Shown::default()
        };
        let text = ui::show_changes(&rows, shown);
        assert!(text.contains("was <masked "), "{text}");
        check(&text);
        check(&ui::diff_document("web", "n", &rows, true).to_string());
        check(&lab.masker.scrub("refused: canary-original"));
    });
}
