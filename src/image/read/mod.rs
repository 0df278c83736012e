//! kbld Configs from YAML text, every mistake with its place.
//!
//! Other than kbld, unknown keys are mistakes, and the mistake names the nearest known key.

mod entry;
mod field;
mod rule;

use super::Error;
use super::config::{
    API_VERSION, BuildSource, Config, Destination, IMAGES_LOCK, IMAGES_LOCK_VERSIONS, ImageMatcher,
    KINDS, Override, SearchRule,
};
use crate::object::Source;
use field::{Entry, Reader, find};
use windlass_helm::yaml::{self, Document, NodeId};

const BUILDERS: [&str; 7] = [
    "docker",
    "podman",
    "buildah",
    "pack",
    "kubectlBuildkit",
    "ko",
    "bazel",
];

/// Reads the Configs among the documents of a file. Other documents are left out: they are
/// manifests, by whose images kbld is told what to build.
///
/// # Errors
///
/// The first mistake, with its place.
pub fn config(file: &str, text: &[u8]) -> Result<Config, Error> {
    of_documents(file, text, is_config_document)
}

/// Reads a lock file: every document is a Config or an ImagesLock, or empty.
///
/// # Errors
///
/// The first mistake, with its place; a document that is something else is one.
pub(super) fn lock(file: &str, text: &[u8]) -> Result<Config, Error> {
    of_documents(file, text, |_| true)
}

/// Reads an image map, a JSON object of references (`relocation-mapping.json` of CNAB).
///
/// # Errors
///
/// The first mistake, with its place.
pub(super) fn image_map(file: &str, text: &[u8]) -> Result<Vec<Override>, Error> {
    let documents = yaml::parse(text).map_err(|error| syntax(file, text, &error))?;
    match documents.first() {
        Some(document) => Reader { file, document }.image_map(document.root()),
        None => Ok(Vec::new()),
    }
}

fn syntax(file: &str, text: &[u8], error: &yaml::Error) -> Error {
    let source = Source {
        file: file.to_owned(),
        line: 1,
    };
    Error::yaml(text, &source, error)
}

/// Reads the documents that are meant. What is no YAML is told before what is no Config.
fn of_documents(
    file: &str,
    text: &[u8],
    is_meant: impl Fn(&Document) -> bool,
) -> Result<Config, Error> {
    let (mut config, mut keys) = (Config::default(), Vec::new());
    let mut read = Ok(());
    yaml::parse_each(text, |document| {
        if read.is_ok() && is_meant(&document) {
            let document = &document;
            read = Reader { file, document }.document(&mut config, &mut keys);
        }
        Ok(())
    })
    .map_err(|error| syntax(file, text, &error))?;
    read?;
    // Keys go before rules, as in kbld's `SearchRulesWithoutDefaults`.
    config.search_rules.splice(0..0, keys);
    Ok(config)
}

/// Whether the first document of a text is a Config or an ImagesLock.
#[must_use]
pub fn is_config(text: &[u8]) -> bool {
    names_config(text)
        && yaml::parse_first(text)
            .is_ok_and(|document| document.is_some_and(|document| is_config_document(&document)))
}

/// Whether a text may hold a Config or an ImagesLock: most texts need no second look.
#[must_use]
pub fn names_config(text: &[u8]) -> bool {
    let holds = |text: &str| text.contains("kbld.k14s.io/") || text.contains("imgpkg.");
    std::str::from_utf8(text).is_ok_and(holds)
}

/// Whether a document is a Config or an ImagesLock.
pub(super) fn is_config_document(document: &Document) -> bool {
    let text = |key| {
        let node = document.get(document.root(), key)?;
        document.text(node)
    };
    match (text("apiVersion"), text("kind")) {
        (Some(API_VERSION), Some(kind)) => KINDS.contains(&kind),
        (Some(version), Some(IMAGES_LOCK)) => IMAGES_LOCK_VERSIONS.contains(&version),
        _ => false,
    }
}

impl<'a> Reader<'a> {
    fn document(&self, config: &mut Config, keys: &mut Vec<SearchRule>) -> Result<(), Error> {
        let root = self.document.root();
        if self.is_null(root) {
            return Ok(());
        }
        let text = |key| {
            let node = self.document.get(root, key)?;
            self.document.text(node)
        };
        if !is_config_document(self.document) {
            let (kind, version) = (text("kind"), text("apiVersion"));
            return Err(Error::NotConfig {
                place: self.place(root),
                found: format!(
                    "{} of {}",
                    kind.unwrap_or("a document"),
                    version.unwrap_or("no apiVersion")
                ),
            });
        }
        match text("kind") {
            Some(IMAGES_LOCK) => self.images_lock(root, config),
            _ => self.config(root, config, keys),
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

    fn matcher(&self, entries: &[Entry<'_>]) -> Result<Option<ImageMatcher>, Error> {
        let text =
            |key| Ok::<_, Error>(self.optional_text(entries, key)?.filter(|t| !t.is_empty()));
        if let Some(image) = text("image")? {
            return Ok(Some(ImageMatcher::Image(image)));
        }
        Ok(text("imageRepo")?.map(ImageMatcher::Repository))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{KeyMatcher, PathPart, Strategy};
    use super::*;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";
    const HEAD: &str = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n";

    fn read(body: &str) -> Result<Config, Error> {
        lock("lock.yml", format!("{HEAD}{body}").as_bytes())
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
            Strategy::Yaml(vec![SearchRule::key("img")])
        );
    }

    #[test]
    fn images_locks_of_imgpkg_are_locks() {
        let text = format!(
            "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n\
             - image: me/web@{DIGEST}\n  annotations:\n    kbld.carvel.dev/id: web:1\n    \
             kbld.carvel.dev/origins: |\n      - resolved: {{tag: '1', url: 'web:1'}}\n---\n\
             apiVersion: imgpkg.k14s.io/v1alpha1\nkind: ImagesLock\nspec:\n  images:\n  \
             - image: me/web@{DIGEST}\n    annotations: {{kbld.carvel.dev/id: old}}\n"
        );
        let config = lock("images.yml", text.as_bytes()).unwrap();
        let pinned = format!("index.docker.io/me/web@{DIGEST}");
        let entries = config.overrides.iter();
        let told: Vec<_> = entries
            .map(|e| (e.matcher.text(), e.new_image.as_str()))
            .collect();
        assert_eq!(told, [("web:1", pinned.as_str()), ("old", &pinned)]);
        assert!(config.overrides[0].preresolved);
        let origins = serde_json::json!([{ "resolved": { "tag": "1", "url": "web:1" } }]);
        assert_eq!(config.overrides[0].origins, Some(origins));
    }

    #[test]
    fn image_maps_are_locks() {
        let map = format!("{{\n  \"web:1\": \"a.io/web@{DIGEST}\"\n}}");
        let entries = image_map("map.json", map.as_bytes()).unwrap();
        assert_eq!(entries[0].matcher, ImageMatcher::Image("web:1".to_owned()));
        assert_eq!(entries[0].place.to_string(), "map.json:2:3");
        let error = image_map("map.json", b"[]").unwrap_err().to_string();
        assert_eq!(
            error,
            "map.json:1:1: an image map has to be an object of image references"
        );
    }

    #[test]
    fn selections_are_read_whole() {
        let config = read(
            "overrides:\n- image: web\n  newImage: a.io/web\n  tagSelection:\n    semver:\n      \
             constraints: '>=1.0.0'\n      prereleases: {identifiers: [rc]}\n  \
             platformSelection: {os: linux, architecture: arm64, os.features: [a]}\n\
             - image: api\n  newImage: a.io/api\n  tagSelection: {semver: {prereleases: {}}}\n",
        )
        .unwrap();
        let [web, api] = &config.overrides[..] else {
            panic!()
        };
        let selection = web.tag_selection.as_ref().unwrap();
        assert_eq!(
            selection.constraints.as_ref().unwrap().to_string(),
            ">=1.0.0"
        );
        assert_eq!(selection.prereleases, Some(vec!["rc".to_owned()]));
        let platform = web.platform_selection.as_ref().unwrap();
        assert_eq!(platform.to_string(), "linux/arm64");
        assert_eq!(platform.os_features, ["a"]);
        let selection = api.tag_selection.as_ref().unwrap();
        assert_eq!(
            (&selection.constraints, &selection.prereleases),
            (&None, &Some(Vec::new()))
        );
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
                "overrides:\n- image: web\n  newImage: web\n  tagSelection: {semver: {constraints: '>1'}}",
                "lock.yml:6:40: range of versions `>1` has `1`, which is not a version such as 1.2.3 or 1.x",
            ),
            (
                "overrides:\n- image: web\n  newImage: web\n  tagSelection: {}",
                "lock.yml:6:17: `tagSelection` needs `semver`",
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
        let error = lock("a.yml", b"apiVersion: v1\nkind: Secret\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.yml:1:1: Secret of v1 is not a kbld Config"
        );
        let error = lock("a.yml", b"---\noverrides:\n- image: a\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.yml:2:1: a document of no apiVersion is not a kbld Config"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("`apiVersion: kbld.k14s.io/v1alpha1`")
        );
        assert!(
            lock("empty.yml", b"# nothing\n---\n")
                .unwrap()
                .overrides
                .is_empty()
        );
        let error = lock("bad.yml", b"a: [\n").unwrap_err().to_string();
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
        assert!(lock("rand-1795250693651560827-1961917643215-web").is_ok());
        assert!(lock("web-sha256-12").is_err());
        assert!(lock("rand-1-web").is_err());
    }
}
