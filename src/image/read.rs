//! kbld Configs from YAML text, every mistake with its place.
//!
//! Other than kbld, unknown keys are mistakes, and the mistake names the nearest known key.

use super::config::{
    API_VERSION, BuildSource, Config, Destination, ImageMatcher, KINDS, KeyMatcher, Override,
    PathPart, SearchRule, Strategy,
};
use super::{Error, Place, Reference};
use serde_json::Value;
use windlass_helm::yaml::{self, Document, Mark, NodeId, NodeKind, Scalar};

/// How deep rules may stand inside the strategies of other rules.
const MAX_RULE_DEPTH: usize = 8;
/// The annotation by which an ImagesLock names the image that it locks.
const IMAGES_LOCK_ID: &str = "kbld.carvel.dev/id";
const BUILDERS: [&str; 5] = ["docker", "pack", "kubectlBuildkit", "ko", "bazel"];

/// Reads all documents of a file. Documents without `apiVersion` and `kind` are left out: they are
/// manifests of a single `image:`, by which kbld is told what to build.
///
/// # Errors
///
/// The first mistake, with its place.
pub fn config(file: &str, text: &[u8]) -> Result<Config, Error> {
    let documents = yaml::parse(text).map_err(|error| Error::Yaml {
        place: Place {
            file: file.to_owned(),
            line: error.line.max(1),
            column: error.column.max(1),
        },
        message: error.message,
    })?;
    let mut config = Config::default();
    let mut keys = Vec::new();
    for document in &documents {
        Reader { file, document }.document(&mut config, &mut keys)?;
    }
    // Keys go before rules, as in kbld's `SearchRulesWithoutDefaults`.
    config.search_rules.splice(0..0, keys);
    Ok(config)
}

/// One document that is being read.
struct Reader<'a> {
    file: &'a str,
    document: &'a Document,
}

/// One entry of a map.
struct Entry<'a> {
    key: &'a str,
    value: NodeId,
}

impl<'a> Reader<'a> {
    fn document(&self, config: &mut Config, keys: &mut Vec<SearchRule>) -> Result<(), Error> {
        let root = self.document.root();
        if self.is_null(root) {
            return Ok(());
        }
        let text = |key| {
            self.document
                .get(root, key)
                .and_then(|node| self.document.text(node))
        };
        match (text("apiVersion"), text("kind")) {
            (Some(API_VERSION), Some(kind)) if KINDS.contains(&kind) => {
                self.config(root, config, keys)
            }
            (Some("imgpkg.carvel.dev/v1alpha1"), Some("ImagesLock")) => {
                self.images_lock(root, config)
            }
            (None, None) if matches!(self.kind(root), NodeKind::Mapping(_)) => Ok(()),
            (version, kind) => Err(Error::NotConfig {
                place: self.place(root),
                found: format!(
                    "{} of {}",
                    kind.unwrap_or("a document"),
                    version.unwrap_or("no apiVersion")
                ),
            }),
        }
    }

    fn config(
        &self,
        root: NodeId,
        config: &mut Config,
        keys: &mut Vec<SearchRule>,
    ) -> Result<(), Error> {
        const KNOWN: [&str; 8] = [
            "apiVersion",
            "kind",
            "minimumRequiredVersion",
            "sources",
            "overrides",
            "destinations",
            "keys",
            "searchRules",
        ];
        for Entry { key, value, .. } in self.entries(root, "Config", &KNOWN)? {
            match key {
                "minimumRequiredVersion" => self.version(value)?,
                "sources" => config
                    .sources
                    .extend(self.list(value, key, |n| self.source(n))?),
                "overrides" => config
                    .overrides
                    .extend(self.list(value, key, |n| self.entry(n))?),
                "destinations" => {
                    config
                        .destinations
                        .extend(self.list(value, key, |n| self.destination(n))?);
                }
                "keys" => {
                    let names = self.list(value, key, |n| self.text(n, "an entry of `keys`"))?;
                    keys.extend(names.iter().map(|name| SearchRule::key(name)));
                }
                "searchRules" => {
                    config
                        .search_rules
                        .extend(self.list(value, key, |n| self.rule(n, 0))?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn version(&self, node: NodeId) -> Result<(), Error> {
        let version = self.text(node, "`minimumRequiredVersion`")?;
        let problem = |problem| {
            Err(Error::Version {
                place: self.place(node),
                version: version.clone(),
                problem,
            })
        };
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let numbers: Option<Vec<u64>> = core.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            // Every kbld before 1.0 writes this format and puts its own version here.
            Some([0, ..]) => Ok(()),
            Some([_, ..]) => problem("is above the known versions of kbld, 0.x"),
            _ => problem("is not a version such as 0.28.0"),
        }
    }

    fn entry(&self, node: NodeId) -> Result<Override, Error> {
        const KNOWN: [&str; 7] = [
            "image",
            "imageRepo",
            "newImage",
            "preresolved",
            "tagSelection",
            "platformSelection",
            "origins",
        ];
        let within = "an entry of `overrides`";
        let entries = self.entries(node, within, &KNOWN)?;
        let place = self.place(node);
        let missing = |what| Error::Missing {
            place: place.clone(),
            within: within.to_owned(),
            what,
        };
        let new_image = self
            .optional_text(&entries, "newImage")?
            .unwrap_or_default();
        if new_image.is_empty() {
            return Err(missing("`newImage`"));
        }
        let preresolved = match find(&entries, "preresolved") {
            Some(value) => self.boolean(value, "`preresolved`")?,
            None => false,
        };
        let entry = Override {
            matcher: self
                .matcher(&entries)?
                .ok_or_else(|| missing("`image` or `imageRepo`"))?,
            new_image,
            preresolved,
            tag_selection: self.optional_json(&entries, "tagSelection")?,
            platform_selection: self.optional_json(&entries, "platformSelection")?,
            origins: self.optional_json(&entries, "origins")?,
            place,
        };
        let new_place =
            find(&entries, "newImage").map_or_else(|| self.place(node), |n| self.place(n));
        check_new_image(&entry, new_place)?;
        Ok(entry)
    }

    fn source(&self, node: NodeId) -> Result<BuildSource, Error> {
        let within = "an entry of `sources`";
        let known: Vec<&str> = ["image", "imageRepo", "path"]
            .into_iter()
            .chain(BUILDERS)
            .collect();
        let entries = self.entries(node, within, &known)?;
        let place = self.place(node);
        let missing = |what| Error::Missing {
            place: place.clone(),
            within: within.to_owned(),
            what,
        };
        let path = self.optional_text(&entries, "path")?.unwrap_or_default();
        if path.is_empty() {
            return Err(missing("`path`"));
        }
        let mut builder = None;
        for entry in entries.iter().filter(|entry| BUILDERS.contains(&entry.key)) {
            builder = Some((entry.key.to_owned(), self.json(entry.value)?));
        }
        let matcher = self
            .matcher(&entries)?
            .ok_or_else(|| missing("`image` or `imageRepo`"))?;
        Ok(BuildSource {
            matcher,
            path,
            builder,
            place,
        })
    }

    fn destination(&self, node: NodeId) -> Result<Destination, Error> {
        let within = "an entry of `destinations`";
        let entries = self.entries(node, within, &["image", "imageRepo", "newImage", "tags"])?;
        let place = self.place(node);
        let matcher = self.matcher(&entries)?.ok_or_else(|| Error::Missing {
            place: place.clone(),
            within: within.to_owned(),
            what: "`image` or `imageRepo`",
        })?;
        let new_image = self
            .optional_text(&entries, "newImage")?
            .filter(|text| !text.is_empty());
        let tags = match find(&entries, "tags") {
            Some(tags) => self.list(tags, "tags", |n| self.text(n, "an entry of `tags`"))?,
            None => Vec::new(),
        };
        let new_image = new_image.unwrap_or_else(|| matcher.text().to_owned());
        Ok(Destination {
            matcher,
            new_image,
            tags,
            place,
        })
    }

    fn rule(&self, node: NodeId, depth: usize) -> Result<SearchRule, Error> {
        let within = "an entry of `searchRules`";
        let entries = self.entries(
            node,
            within,
            &["keyMatcher", "valueMatcher", "updateStrategy"],
        )?;
        let some = |key| find(&entries, key).filter(|&value| !self.is_null(value));
        let rule = SearchRule {
            key: some("keyMatcher")
                .map(|n| self.key_matcher(n))
                .transpose()?,
            value: some("valueMatcher")
                .map(|n| self.value_matcher(n))
                .transpose()?,
            strategy: match some("updateStrategy") {
                Some(value) => self.strategy(value, depth)?,
                None => Strategy::EntireValue,
            },
            raw: self.json(node)?,
        };
        if rule.key.is_none() && rule.value.is_none() {
            return Err(Error::Missing {
                place: self.place(node),
                within: within.to_owned(),
                what: "`keyMatcher` or `valueMatcher`",
            });
        }
        Ok(rule)
    }

    fn key_matcher(&self, node: NodeId) -> Result<KeyMatcher, Error> {
        let entries = self.entries(node, "`keyMatcher`", &["name", "path"])?;
        if let Some(name) = self
            .optional_text(&entries, "name")?
            .filter(|name| !name.is_empty())
        {
            return Ok(KeyMatcher::Name(name));
        }
        let path = match find(&entries, "path") {
            Some(path) => self.list(path, "path", |n| self.path_part(n))?,
            None => Vec::new(),
        };
        if path.is_empty() {
            let (place, within) = (self.place(node), "`keyMatcher`".to_owned());
            return Err(Error::Missing {
                place,
                within,
                what: "`name` or `path`",
            });
        }
        Ok(KeyMatcher::Path(path))
    }

    fn path_part(&self, node: NodeId) -> Result<PathPart, Error> {
        let wrong = || {
            self.wrong(
                node,
                "an entry of `path`",
                "a key, `index: N` or `allIndexes: true`",
            )
        };
        if let NodeKind::Scalar { .. } = self.kind(node) {
            return self.text(node, "an entry of `path`").map(PathPart::Key);
        }
        let entries = self.entries(node, "an entry of `path`", &["index", "allIndexes"])?;
        if let Some(all) = find(&entries, "allIndexes") {
            return if self.boolean(all, "`allIndexes`")? {
                Ok(PathPart::AllIndexes)
            } else {
                Err(wrong())
            };
        }
        let index = find(&entries, "index").ok_or_else(wrong)?;
        match self.scalar(index) {
            Some(Scalar::Int(index)) => usize::try_from(index)
                .map(PathPart::Index)
                .map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    fn value_matcher(&self, node: NodeId) -> Result<ImageMatcher, Error> {
        let entries = self.entries(node, "`valueMatcher`", &["image", "imageRepo"])?;
        self.matcher(&entries)?.ok_or_else(|| Error::Missing {
            place: self.place(node),
            within: "`valueMatcher`".to_owned(),
            what: "`image` or `imageRepo`",
        })
    }

    fn strategy(&self, node: NodeId, depth: usize) -> Result<Strategy, Error> {
        let known = ["none", "entireValue", "json", "yaml"];
        let entries = self.entries(node, "`updateStrategy`", &known)?;
        // kbld asks in this order when several are given.
        let some = |key| find(&entries, key).filter(|&value| !self.is_null(value));
        if some("none").is_some() {
            return Ok(Strategy::None);
        }
        if some("entireValue").is_some() {
            return Ok(Strategy::EntireValue);
        }
        let Some(embedded) = some("json").or_else(|| some("yaml")) else {
            return Err(self.wrong(
                node,
                "`updateStrategy`",
                "one of none, entireValue, json and yaml",
            ));
        };
        if depth == MAX_RULE_DEPTH {
            let what = format!("a rule inside more than {MAX_RULE_DEPTH} others");
            return Err(Error::Unsupported {
                place: self.place(node),
                what,
            });
        }
        let entries = self.entries(embedded, "`json` or `yaml`", &["searchRules"])?;
        let rules = match find(&entries, "searchRules") {
            Some(rules) => self.list(rules, "searchRules", |n| self.rule(n, depth + 1))?,
            None => Vec::new(),
        };
        Ok(Strategy::Embedded(rules))
    }

    /// imgpkg's ImagesLock: every image with kbld's id is an entry that needs no registry.
    fn images_lock(&self, root: NodeId, config: &mut Config) -> Result<(), Error> {
        let within = "ImagesLock";
        let entries = self.entries(root, within, &["apiVersion", "kind", "images"])?;
        let Some(images) = find(&entries, "images") else {
            return Ok(());
        };
        let overrides = self.list(images, "images", |node| {
            let entries = self.entries(node, "an entry of `images`", &["image", "annotations"])?;
            let missing = |what| Error::Missing {
                place: self.place(node),
                within: "an entry of `images`".to_owned(),
                what,
            };
            let id = find(&entries, "annotations")
                .and_then(|annotations| self.document.get(annotations, IMAGES_LOCK_ID))
                .ok_or_else(|| missing("the annotation `kbld.carvel.dev/id`"))?;
            let entry = Override {
                matcher: ImageMatcher::Image(self.text(id, "the annotation `kbld.carvel.dev/id`")?),
                new_image: self
                    .optional_text(&entries, "image")?
                    .ok_or_else(|| missing("`image`"))?,
                preresolved: true,
                tag_selection: None,
                platform_selection: None,
                origins: None,
                place: self.place(node),
            };
            check_new_image(&entry, self.place(node))?;
            Ok(entry)
        })?;
        config.overrides.extend(overrides);
        Ok(())
    }

    fn matcher(&self, entries: &[Entry<'_>]) -> Result<Option<ImageMatcher>, Error> {
        let text =
            |key| Ok::<_, Error>(self.optional_text(entries, key)?.filter(|t| !t.is_empty()));
        if let Some(image) = text("image")? {
            return Ok(Some(ImageMatcher::Image(image)));
        }
        Ok(text("imageRepo")?.map(ImageMatcher::Repository))
    }

    /// The entries of a map whose keys must all be known.
    fn entries(&self, node: NodeId, within: &str, known: &[&str]) -> Result<Vec<Entry<'a>>, Error> {
        if !matches!(self.kind(node), NodeKind::Mapping(_)) {
            return Err(self.wrong(node, within, "a map"));
        }
        let mut found: Vec<Entry<'a>> = Vec::new();
        for &(key_node, value) in self.document.entries(node) {
            let key = self.document.text(key_node).unwrap_or_default();
            if !known.contains(&key) {
                return Err(Error::UnknownKey {
                    place: self.place(key_node),
                    key: key.to_owned(),
                    within: within.to_owned(),
                    nearest: nearest(key, known),
                });
            }
            found.retain(|entry| entry.key != key);
            found.push(Entry { key, value });
        }
        Ok(found)
    }

    fn list<T>(
        &self,
        node: NodeId,
        key: &str,
        read: impl Fn(NodeId) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        if self.is_null(node) {
            return Ok(Vec::new());
        }
        if !matches!(self.kind(node), NodeKind::Sequence(_)) {
            return Err(self.wrong(node, &format!("`{key}`"), "a list"));
        }
        self.document
            .items(node)
            .iter()
            .map(|&item| read(item))
            .collect()
    }

    fn kind(&self, node: NodeId) -> &'a NodeKind {
        &self.document.node(self.document.follow(node)).kind
    }

    fn scalar(&self, node: NodeId) -> Option<Scalar> {
        let node = self.document.node(self.document.follow(node));
        let NodeKind::Scalar { text, implicit, .. } = &node.kind else {
            return None;
        };
        yaml::resolve(text, node.tag.as_deref(), *implicit).ok()
    }

    fn is_null(&self, node: NodeId) -> bool {
        self.scalar(node) == Some(Scalar::Null)
    }

    fn text(&self, node: NodeId, what: &str) -> Result<String, Error> {
        match (self.scalar(node), self.document.text(node)) {
            (Some(Scalar::Str | Scalar::Timestamp), Some(text)) => Ok(text.to_owned()),
            _ => Err(self.wrong(node, what, "text")),
        }
    }

    fn boolean(&self, node: NodeId, what: &str) -> Result<bool, Error> {
        match self.scalar(node) {
            Some(Scalar::Bool(value)) => Ok(value),
            _ => Err(self.wrong(node, what, "true or false")),
        }
    }

    fn optional_text(&self, entries: &[Entry<'_>], key: &str) -> Result<Option<String>, Error> {
        match find(entries, key) {
            Some(node) if !self.is_null(node) => self.text(node, &format!("`{key}`")).map(Some),
            _ => Ok(None),
        }
    }

    fn optional_json(&self, entries: &[Entry<'_>], key: &str) -> Result<Option<Value>, Error> {
        let value = find(entries, key).map(|node| self.json(node)).transpose()?;
        Ok(value.filter(|value| !value.is_null()))
    }

    fn json(&self, node: NodeId) -> Result<Value, Error> {
        yaml::to_json_value(self.document, node).map_err(|error| Error::Yaml {
            place: self.place(node),
            message: error.message,
        })
    }

    fn wrong(&self, node: NodeId, what: &str, expected: &'static str) -> Error {
        Error::WrongType {
            place: self.place(node),
            what: what.to_owned(),
            expected,
        }
    }

    fn place(&self, node: NodeId) -> Place {
        let Mark { line, column, .. } = self.document.node(node).start;
        Place {
            file: self.file.to_owned(),
            line,
            column,
        }
    }
}

fn find(entries: &[Entry<'_>], key: &str) -> Option<NodeId> {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| entry.value)
}

/// A new image must be a reference; one that is final must name its manifest by digest.
fn check_new_image(entry: &Override, place: Place) -> Result<(), Error> {
    let reference = match Reference::parse(&entry.new_image) {
        Ok(reference) => reference,
        Err(source) => return Err(Error::Reference { place, source }),
    };
    if entry.preresolved && reference.digest.is_none() && !is_local_build(&reference) {
        let image = entry.matcher.text().to_owned();
        return Err(Error::Mutable {
            place,
            image,
            new_image: entry.new_image.clone(),
        });
    }
    Ok(())
}

/// Whether a reference is one that kbld gives to an image it built and did not push:
/// `kbld:<name>-sha256-<64 digits>`. Its tag names the content, so that it is as good as a digest.
fn is_local_build(reference: &Reference) -> bool {
    let hex = reference
        .tag
        .as_deref()
        .and_then(|tag| tag.rsplit_once("sha256-"))
        .map(|(_, hex)| hex);
    reference.repository == "library/kbld"
        && hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The known key most like an unknown one, if any is near.
fn nearest(key: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&key.to_lowercase(), &known.to_lowercase()),
                known,
            )
        })
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";
    const HEAD: &str = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n";

    fn read(body: &str) -> Result<Config, Error> {
        config("lock.yml", format!("{HEAD}{body}").as_bytes())
    }

    fn told(body: &str) -> String {
        let error = read(body).unwrap_err();
        match error.hint() {
            Some(hint) => format!("{error}\n{hint}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn the_build_file_of_an_application_is_read() {
        let text = "#! what to build\nimage: demo-service\n---\n\
            apiVersion: kbld.k14s.io/v1alpha1\nkind: Sources\nsources:\n\
            - image: demo-service\n  path: .\n  docker: {buildx: {file: Dockerfile}}\n---\n\
            apiVersion: kbld.k14s.io/v1alpha1\nkind: ImageDestinations\ndestinations:\n\
            - image: demo-service\n  newImage: docker.io/me/demo-service\n---\n\
            apiVersion: kbld.k14s.io/v1alpha1\nkind: ImageKeys\nkeys:\n- sidecar\n";
        let config = config("kbld.yaml", text.as_bytes()).unwrap();
        let demo = ImageMatcher::Image("demo-service".to_owned());
        assert_eq!(config.sources[0].matcher, demo);
        assert_eq!(config.sources[0].path, ".");
        assert_eq!(config.sources[0].builder.as_ref().unwrap().0, "docker");
        assert_eq!(
            config.destinations[0].new_image,
            "docker.io/me/demo-service"
        );
        assert_eq!(config.search_rules, [SearchRule::key("sidecar")]);
        assert_eq!(config.destinations[0].place.to_string(), "kbld.yaml:14:3");
    }

    #[test]
    fn rules_keep_their_form() {
        let config = read(
            "searchRules:\n- keyMatcher: {path: [spec, {allIndexes: true}, {index: 2}]}\n  \
             valueMatcher: {imageRepo: nginx}\n  updateStrategy: {none: {}}\n\
             - keyMatcher: {name: config}\n  \
             updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: img}}]}}\nkeys: [first]\n",
        )
        .unwrap();
        assert_eq!(config.search_rules[0], SearchRule::key("first"));
        let path = vec![
            PathPart::Key("spec".to_owned()),
            PathPart::AllIndexes,
            PathPart::Index(2),
        ];
        assert_eq!(config.search_rules[1].key, Some(KeyMatcher::Path(path)));
        assert_eq!(config.search_rules[1].strategy, Strategy::None);
        assert_eq!(
            config.search_rules[2].strategy,
            Strategy::Embedded(vec![SearchRule::key("img")])
        );
    }

    #[test]
    fn images_locks_of_imgpkg_are_locks() {
        let text = format!(
            "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n\
             - image: a.io/web@{DIGEST}\n  annotations:\n    kbld.carvel.dev/id: web:1\n"
        );
        let config = config("images.yml", text.as_bytes()).unwrap();
        assert_eq!(
            config.overrides[0].matcher,
            ImageMatcher::Image("web:1".to_owned())
        );
        assert!(config.overrides[0].preresolved);
    }

    #[test]
    fn mistakes_have_a_place_and_a_neighbour() {
        let cases = [
            (
                "override:\n- image: a",
                "lock.yml:3:1: unknown key `override` in Config\ndid you mean `overrides`?",
            ),
            (
                "overrides:\n- image: web\n  newimage: web",
                "lock.yml:5:3: unknown key `newimage` in an entry of `overrides`\ndid you mean `newImage`?",
            ),
            (
                "overrides:\n- image: web",
                "lock.yml:4:3: an entry of `overrides` needs `newImage`",
            ),
            (
                "overrides:\n- newImage: web",
                "lock.yml:4:3: an entry of `overrides` needs `image` or `imageRepo`",
            ),
            (
                "overrides: {}",
                "lock.yml:3:12: `overrides` has to be a list",
            ),
            (
                "overrides:\n- image: 1.5\n  newImage: web",
                "lock.yml:4:10: `image` has to be text",
            ),
            (
                "overrides:\n- image: web\n  newImage: Web",
                "lock.yml:5:13: repository `Web` of image reference `Web` is not 2 to 255 lower-case letters, digits, `_`, `-`, `.` and `/`",
            ),
            (
                "overrides:\n- image: web\n  newImage: a.io/web:1\n  preresolved: true",
                "lock.yml:5:13: `web` is locked to `a.io/web:1`, which has no digest\n\
                 `windlass lock resolve web` prints an entry with a digest",
            ),
            (
                "overrides:\n- image: web\n  newImage: a.io/web@sha256:ab\n  preresolved: true",
                "lock.yml:5:13: `sha256:ab` is not a digest: `sha256:` and 64 lower-case hexadecimal digits are expected",
            ),
            (
                "minimumRequiredVersion: v0.8",
                "lock.yml:3:25: minimumRequiredVersion v0.8 is not a version such as 0.28.0",
            ),
            (
                "minimumRequiredVersion: 1.0.0",
                "lock.yml:3:25: minimumRequiredVersion 1.0.0 is above the known versions of kbld, 0.x",
            ),
            (
                "searchRules:\n- updateStrategy: {none: {}}",
                "lock.yml:4:3: an entry of `searchRules` needs `keyMatcher` or `valueMatcher`",
            ),
        ];
        for (body, want) in cases {
            assert_eq!(told(body), want);
        }
    }

    #[test]
    fn other_documents_are_refused() {
        let error = config("a.yml", b"apiVersion: v1\nkind: Secret\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.yml:1:1: Secret of v1 is not a kbld Config"
        );
        assert!(
            config("empty.yml", b"# nothing\n---\n")
                .unwrap()
                .overrides
                .is_empty()
        );
        let error = config("bad.yml", b"a: [\n").unwrap_err().to_string();
        assert!(error.starts_with("bad.yml:2:1: yaml: "), "{error}");
    }

    #[test]
    fn local_builds_of_kbld_count_as_locked() {
        let hex = &DIGEST[7..];
        let lock = |tag: &str| {
            read(&format!(
                "overrides:\n- image: web\n  newImage: kbld:{tag}\n  preresolved: true"
            ))
        };
        assert!(lock(&format!("web-sha256-{hex}")).is_ok());
        assert!(lock("web-sha256-12").is_err());
    }
}
