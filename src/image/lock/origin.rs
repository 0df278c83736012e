//! Where the digest of an entry comes from: its `origins`, in the form of kbld
//! (`pkg/kbld/config/image_origin.go`), and the question that would give it again.

use crate::image::{ImageMatcher, Locks, Override, Platform, Question, Reference};
use serde_json::{Map, Value, json};

/// The `origins` of an entry that locks `image` to what a registry answered to a question: the tag,
/// unless the image itself names it, and the index that a platform was selected from.
#[must_use]
pub fn origins(
    image: &str,
    question: &Question,
    tag: Option<&str>,
    index: Option<&str>,
) -> Option<Value> {
    let mut origins = Vec::new();
    let own = Question::of(image).reference();
    let mut asked = question.reference();
    if let Some(reference) = &mut asked
        && question.tag.is_some()
    {
        reference.tag = tag.map(str::to_owned);
    }
    if let Some(tag) = tag.filter(|_| own != asked) {
        let url = asked.map_or_else(|| question.image.clone(), |asked| asked.to_string());
        origins.push(json!({ "resolved": { "tag": tag, "url": url } }));
    }
    if let (Some(index), Some(platform)) = (index, &question.platform) {
        let mut selected = Map::new();
        selected.insert(
            "architecture".to_owned(),
            platform.architecture.as_str().into(),
        );
        selected.insert("index".to_owned(), index.into());
        selected.insert("os".to_owned(), platform.os.as_str().into());
        if !platform.variant.is_empty() {
            selected.insert("variant".to_owned(), platform.variant.as_str().into());
        }
        origins.push(json!({ "platformSelected": selected }));
    }
    (!origins.is_empty()).then_some(Value::Array(origins))
}

/// The question whose answer an entry is: what a Config puts in the place of the image, else the tag
/// of the entry's `origins`, else that of the image itself. `None` when nothing tells the tag.
#[must_use]
pub fn question(image: &str, entry: &Override, locks: &Locks) -> Option<Question> {
    let mut entries = locks.overrides().iter();
    let renamed = entries.find(|other| !other.preresolved && other.matcher.matches(image));
    if let Some(config) = renamed {
        return Some(Question::of_entry(config));
    }
    let origins = entry.origins.as_ref().and_then(Value::as_array);
    let find = |key: &str| {
        origins
            .into_iter()
            .flatten()
            .find_map(|origin| origin.get(key))
    };
    let url = find("resolved").and_then(|resolved| resolved.get("url")?.as_str());
    // An entry of a whole repository is about tags that its origins do not tell.
    let is_own = is_same_repository(image, &entry.new_image);
    let for_tag = matches!(entry.matcher, ImageMatcher::Image(_));
    let asked = match url.filter(|_| for_tag || !is_own) {
        Some(url) => url,
        None if is_own => image,
        None => return None,
    };
    // What was built cannot be asked for again.
    if find("built").is_some() || Reference::parse(asked).ok()?.digest.is_some() {
        return None;
    }
    let platform = find("platformSelected").cloned();
    Some(Question {
        platform: platform.and_then(|given| serde_json::from_value::<Platform>(given).ok()),
        ..Question::of(asked)
    })
}

/// Whether an image is locked to a digest of its own repository, so that its tag can be asked again.
fn is_same_repository(image: &str, new_image: &str) -> bool {
    match (Reference::parse(image), Reference::parse(new_image)) {
        (Ok(image), Ok(new_image)) => image.name() == new_image.name(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn locks(image: &str, new_image: &str, rest: &str) -> Locks {
        let mut locks = Locks::default();
        let text = format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: {image}\n  \
             newImage: {new_image}\n{rest}"
        );
        locks.add("a.yml", text.as_bytes()).unwrap();
        locks
    }

    fn asked(image: &str, new_image: &str, rest: &str) -> Option<Question> {
        let rest = format!("  preresolved: true\n{rest}");
        let locks = locks(image, &format!("{new_image}@{DIGEST}"), &rest);
        question(image, locks.find(image).unwrap(), &locks)
    }

    #[test]
    fn the_tag_is_that_of_the_origins_or_of_the_image() {
        let resolved = "  origins: [{resolved: {tag: '2', url: 'a.io/app:2'}}]\n";
        let config = "- image: web\n  newImage: b.io/app:3\n";
        let image = |asked: Option<Question>| asked.map(|question| question.image);
        assert_eq!(
            image(asked("a.io/web:1", "a.io/web", "")).as_deref(),
            Some("a.io/web:1")
        );
        assert_eq!(
            image(asked("web", "a.io/app", resolved)).as_deref(),
            Some("a.io/app:2")
        );
        assert_eq!(
            image(asked("web", "a.io/app", config)).as_deref(),
            Some("b.io/app:3")
        );
        assert_eq!(
            image(asked("a.io/app:1", "a.io/app", resolved)).as_deref(),
            Some("a.io/app:2")
        );
        assert_eq!(asked("web", "a.io/app", ""), None);
        let built = "  origins: [{git: {sha: x}}, {built: {builder: docker}}]\n";
        assert_eq!(asked("a.io/web:1", "a.io/web", built), None);
    }

    #[test]
    fn what_origins_say_leads_back_to_the_same_question() {
        let platform = Platform::parse("linux/arm64/v8").unwrap();
        let question_ = Question {
            platform: Some(platform),
            ..Question::of("a.io/app:2")
        };
        let index = format!("a.io/app@{DIGEST}");
        let origins = origins("web", &question_, Some("2"), Some(&index)).unwrap();
        assert_eq!(
            origins.to_string(),
            format!(
                "[{{\"resolved\":{{\"tag\":\"2\",\"url\":\"a.io/app:2\"}}}},{{\"platformSelected\":\
                 {{\"architecture\":\"arm64\",\"index\":\"{index}\",\"os\":\"linux\",\"variant\":\"v8\"}}}}]"
            )
        );
        let again = asked("web", "a.io/app", &format!("  origins: {origins}\n"));
        assert_eq!(again, Some(question_));
    }

    #[test]
    fn an_image_that_names_its_tag_needs_no_origins() {
        assert_eq!(
            origins("nginx", &Question::of("nginx"), Some("latest"), None),
            None
        );
        assert_eq!(
            origins(
                "nginx:1",
                &Question::of("docker.io/nginx:1"),
                Some("1"),
                None
            ),
            None
        );
    }
}
