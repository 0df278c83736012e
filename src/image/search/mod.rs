//! Finding images in the text of manifests, with their places.
//!
//! The rules are kbld's (`pkg/kbld/search`): the given ones first, then the fields of known custom
//! resources, then every value under the key `image`; the first rule that matches a value decides.
//! Content behind an alias of a map or list is found where its anchor stands, once.

mod field;
mod known;
mod walk;

use super::config::SearchRule;
use super::{Error, Place};
use crate::object::Lines;
use std::ops::Range;
use std::sync::Arc;
use walk::{Rules, Scope};
use windlass_helm::yaml::{Document, Style};

/// An image in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The reference as it stands there, or as the fields there make it up.
    pub image: String,
    /// Where it stands.
    pub place: Place,
    /// Its field, for example `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The kind and name of its object, for example `Deployment/web`; empty when it has none.
    pub object: Arc<str>,
    /// The texts to replace, in the order of the text.
    pub(super) parts: Vec<Part>,
}

/// A text that holds an image or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which part of the image it is.
    pub(super) role: Role,
    /// Its bytes.
    pub(super) span: Range<usize>,
    /// Whether the bytes are a whole scalar and not only the text inside one.
    pub(super) whole: bool,
    /// The scalars around the text, the outermost first, when it is embedded in another text.
    pub(super) around: Vec<Style>,
}

/// What of an image a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The whole image.
    Image,
    /// Registry and repository, with what stands before the colon of a tag or digest.
    Repository,
    /// What stands after that colon.
    Tag,
    /// Registry and repository without its last part.
    Folder,
    /// The last part of the repository.
    Name,
    /// The digest, or else the tag.
    Version,
}

/// Something noticed at a place that does not stop the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What is in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The images in the order of the text.
    pub images: Vec<Found>,
    /// Fields that look like a mistake.
    pub warnings: Vec<Warning>,
}

impl Search {
    /// In the order of the text. A value that has several anchors on the way is met once for each.
    fn sorted(mut self) -> Self {
        self.images.sort_by_key(|found| found.parts[0].span.start);
        self.images.dedup_by(|a, b| a.parts == b.parts);
        self
    }

    fn add(&mut self, next: Self) {
        self.images.extend(next.images);
        self.warnings.extend(next.warnings);
    }
}

/// Finds the images of a text of one or several YAML documents. `lines` tells where its
/// lines stand; `rules` stand before the known fields and the key `image`. Configs of kbld among the
/// documents hold no images.
///
/// # Errors
///
/// A text that is not YAML, and an embedded text with images that cannot be changed in place.
pub fn find<'a>(
    text: &[u8],
    lines: impl Into<Lines<'a>>,
    rules: &[SearchRule],
) -> Result<Search, Error> {
    let mut all = Search::default();
    find_each(text, lines.into(), rules, |_, search| {
        all.add(search);
        Ok(())
    })?;
    Ok(all)
}

/// As [`find`], a document at a time.
pub(super) fn find_each(
    text: &[u8],
    lines: Lines<'_>,
    rules: &[SearchRule],
    visit: impl FnMut(&Document, Search) -> Result<(), Error>,
) -> Result<(), Error> {
    let rules = Rules {
        given: rules,
        and_known: true,
    };
    Scope::file(text, lines).search(rules, visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read;
    use crate::object::Source;

    fn rules(text: &str) -> Vec<SearchRule> {
        let text = format!("apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n{text}");
        read::lock("rules.yml", text.as_bytes())
            .unwrap()
            .search_rules
    }

    fn search(text: &str, rules: &[SearchRule]) -> Search {
        find(
            text.as_bytes(),
            &Source {
                file: "t.yaml".to_owned(),
                line: 10,
            },
            rules,
        )
        .unwrap()
    }

    fn told(text: &str, rules: &[SearchRule]) -> Vec<String> {
        let found = search(text, rules).images.into_iter();
        found
            .map(|found| format!("{} {} {}", found.image, found.place, found.path))
            .collect()
    }

    #[test]
    fn every_text_under_image_is_found_with_its_place() {
        let text = "spec:\n  containers:\n  - name: a\n    image: nginx:1\n  - {image: 'web'}\n\
                    ---\ndata:\n  x/y:\n    image: \"z\"\n";
        assert_eq!(
            told(text, &[]),
            [
                "nginx:1 t.yaml:13:12 spec.containers[0].image",
                "web t.yaml:14:13 spec.containers[1].image",
                "z t.yaml:18:12 data[x/y].image",
            ]
        );
    }

    #[test]
    fn other_types_are_not_images() {
        let text = "properties:\n  image: {type: string}\n---\na: {image: 5}\nb: {image: on}\n\
                    c: {image: null}\nd: {image: }\ne: {image: [image]}\n";
        assert_eq!(told(text, &[]), Vec::<String>::new());
    }

    #[test]
    fn an_empty_image_is_a_warning_with_its_place() {
        let found = search("spec:\n  image: \"\"\n", &[]);
        assert_eq!(found.images, []);
        let warnings: Vec<_> = found.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            ["t.yaml:11:10: spec.image is empty, not an image"]
        );
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = rules(
            "searchRules:\n\
             - keyMatcher: {path: [data, image]}\n  updateStrategy: {none: {}}\n\
             - keyMatcher: {path: [args, {allIndexes: true}]}\n  valueMatcher: {imageRepo: helper}\n\
             - valueMatcher: {image: 'exact:1'}\n",
        );
        let text = "data:\n  image: logo.png\nargs:\n- --verbose\n- helper:2\n\
                    other:\n- exact:1\n- exact:2\n";
        assert_eq!(
            told(text, &rules),
            [
                "helper:2 t.yaml:14:3 args[1]",
                "exact:1 t.yaml:16:3 other[0]"
            ]
        );
    }

    #[test]
    fn images_inside_embedded_texts_are_found_where_they_stand() {
        let rules = rules(
            "searchRules:\n- keyMatcher: {name: config.yaml}\n  \
             updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: img}}]}}\n\
             - keyMatcher: {name: config.json}\n  \
             updateStrategy: {json: {searchRules: [{keyMatcher: {name: img}}]}}\n",
        );
        let text = "data:\n  config.yaml: |\n    # a\n    list:\n    - img: web:1 # c\n  \
                    config.json: \"{\\\"img\\\": \\\"api:2\\\"}\"\n  image: top\n";
        assert_eq!(
            told(text, &rules),
            [
                "web:1 t.yaml:14:12 data[config.yaml].list[0].img",
                "api:2 t.yaml:15:29 data[config.json].img",
                "top t.yaml:16:10 data.image",
            ]
        );
    }

    #[test]
    fn anchors_are_found_once_and_their_aliases_where_they_stand() {
        let text = "a: &all\n  image: &img web:1\nb: *all\nc:\n  image: *img\n";
        assert_eq!(
            told(text, &[]),
            ["web:1 t.yaml:11:15 a.image", "web:1 t.yaml:14:10 c.image"]
        );
    }

    #[test]
    fn json_strategy_takes_json_only() {
        let rules = rules(
            "searchRules:\n- keyMatcher: {name: c}\n  \
             updateStrategy: {json: {searchRules: [{keyMatcher: {name: img}}]}}\n",
        );
        let text = "c: 'img: a'\n---\nc: '{\"img\": \"b\"}'\n---\nc: {image: d}\n";
        let images = search(text, &rules).images.into_iter();
        let images: Vec<_> = images.map(|found| found.image).collect();
        assert_eq!(images, ["b", "d"]);
    }

    #[test]
    fn items_of_a_list_have_paths_of_their_own() {
        let rules = rules(
            "searchRules:\n- keyMatcher: {path: [spec, image]}\n  updateStrategy: {none: {}}\n",
        );
        let text = "kind: List\nitems:\n- kind: A\n  spec: {image: x}\n\
                    - {kind: B, metadata: {name: b}, image: z}\n";
        let images = search(text, &rules).images;
        assert_eq!(images.len(), 1);
        assert_eq!(
            (&*images[0].object, images[0].path.as_str()),
            ("B/b", "items[1].image")
        );
    }

    #[test]
    fn configs_of_kbld_hold_no_images() {
        let text = "image: web\n---\napiVersion: kbld.k14s.io/v1alpha1\nkind: Sources\n\
                    sources: [{image: web, path: .}]\n";
        assert_eq!(told(text, &[]), ["web t.yaml:10:8 image"]);
    }

    #[test]
    fn known_resources_name_images_in_their_own_ways() {
        let cases = [
            (
                "monitoring.coreos.com/v1",
                "spec: {baseImage: q/p, tag: v1, version: v2}",
                "q/p:v1",
            ),
            (
                "monitoring.coreos.com/v1",
                "spec: {version: v2, baseImage: q/p}",
                "q/p:v2",
            ),
            (
                "monitoring.coreos.com/v1",
                "spec: {baseImage: q/p, sha: ab}",
                "q/p@sha256:ab",
            ),
            (
                "monitoring.coreos.com/v1",
                "spec: {baseImage: q/p:1, sha: ab}",
                "q/p:1",
            ),
            (
                "monitoring.coreos.com/v1",
                "spec: {baseImage: q/p, image: i:2}",
                "i:2",
            ),
            (
                "monitoring.coreos.com/v1",
                "thanos: {baseImage: q/t, version: v3}",
                "q/t:v3",
            ),
            ("monitoring.coreos.com/v1", "spec: {version: v3}", ""),
            (
                "postgresql.cnpg.io/v1",
                "spec: {imageName: g/pg:16}",
                "g/pg:16",
            ),
            (
                "nvidia.com/v1",
                "driver: {repository: n/v, image: d, version: '5'}",
                "n/v/d:5",
            ),
            (
                "nvidia.com/v1",
                "driver: {repository: '', image: n/v/d:5, version: ''}",
                "n/v/d:5",
            ),
            (
                "nvidia.com/v1",
                "driver: {repository: n/v, image: driver}",
                "",
            ),
            (
                "solr.apache.org/v1beta1",
                "spec: {solrImage: {repository: solr, tag: 9}}",
                "",
            ),
            (
                "solr.apache.org/v1beta1",
                "spec: {solrImage: {repository: solr, tag: '9'}}",
                "solr:9",
            ),
            (
                "operator.knative.dev/v1",
                "spec: {registry: {override: {a/b: x:1}}}",
                "x:1",
            ),
            (
                "cdi.kubevirt.io/v1",
                "spec: {source: {registry: {url: 'docker://f:2'}}}",
                "f:2",
            ),
            (
                "apps/v1",
                "spec: {args: ['--acme-http01-solver-image=s:1', image]}",
                "s:1",
            ),
            (
                "v1",
                "volumes: [{image: {reference: v:1}}, {rbd: {image: disk}}]",
                "v:1",
            ),
            (
                "kafka.strimzi.io/v1",
                "spec: {build: {output: {image: p:1}}, image: k:1}",
                "k:1",
            ),
            ("kyverno.io/v1", "spec: {pattern: {image: '!*:latest'}}", ""),
            (
                "apiextensions.k8s.io/v1",
                "schema: {image: {default: a}, example: {image: b}}",
                "",
            ),
            (
                "other.io/v1",
                "spec: {baseImage: a, repository: b, image: c}",
                "c",
            ),
        ];
        for (version, body, want) in cases {
            let found = search(&format!("apiVersion: {version}\n{body}\n"), &[]).images;
            let images: Vec<_> = found.iter().map(|found| found.image.as_str()).collect();
            assert_eq!(images.join(" "), want, "{body}");
        }
    }

    #[test]
    fn given_rules_go_before_known_fields() {
        let rules =
            rules("searchRules:\n- keyMatcher: {name: imageName}\n  updateStrategy: {none: {}}\n");
        let text = "apiVersion: postgresql.cnpg.io/v1\nspec: {imageName: a, image: b}\n";
        assert_eq!(told(text, &rules), ["b t.yaml:11:29 spec.image"]);
    }

    #[test]
    fn text_that_is_not_yaml_has_a_place() {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 10,
        };
        let error = find(b"a: b\nc: [\n", &source, &[]).unwrap_err().to_string();
        assert!(error.starts_with("t.yaml:12:"), "{error}");
    }
}
