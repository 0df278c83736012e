//! The parts of a kbld Config as data: overrides, search rules, sources and destinations.
//!
//! Reading them from YAML is in `read/`, merging files in `locks.rs`. The names and meanings are
//! those of kbld `pkg/kbld/config/config.go`.

use super::{Place, Platform, TagSelection, repository_text};
use serde_json::Value;

/// The `apiVersion` of kbld Configs and locks.
pub const API_VERSION: &str = "kbld.k14s.io/v1alpha1";
/// The kinds that are read as a Config; all but the first are kbld's older names.
pub const KINDS: [&str; 5] = [
    "Config",
    "Sources",
    "ImageOverrides",
    "ImageDestinations",
    "ImageKeys",
];

/// The kind of imgpkg's locks.
pub(super) const IMAGES_LOCK: &str = "ImagesLock";
/// Its `apiVersion`, the one in use first.
pub(super) const IMAGES_LOCK_VERSIONS: [&str; 2] =
    ["imgpkg.carvel.dev/v1alpha1", "imgpkg.k14s.io/v1alpha1"];
/// The annotation by which an ImagesLock names the image that it locks.
pub(super) const IMAGES_LOCK_ID: &str = "kbld.carvel.dev/id";
/// The annotation of an ImagesLock with `origins` as YAML.
pub(super) const IMAGES_LOCK_ORIGINS: &str = "kbld.carvel.dev/origins";

/// Which images an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageMatcher {
    /// Exactly this text.
    Image(String),
    /// Every tag and digest of this repository, compared as text.
    Repository(String),
}

impl ImageMatcher {
    /// Whether an image as it stands in a manifest is meant.
    #[must_use]
    pub fn matches(&self, image: &str) -> bool {
        match self {
            Self::Image(exact) => exact == image,
            Self::Repository(repository) => repository == repository_text(image),
        }
    }

    /// The text that is compared.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Image(text) | Self::Repository(text) => text,
        }
    }
}

/// One entry of `overrides`: an image and what stands for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Which images it is about.
    pub matcher: ImageMatcher,
    /// What is written in their place.
    pub new_image: String,
    /// Whether `new_image` is final, so that no registry needs to be asked.
    pub preresolved: bool,
    /// `tagSelection`: which tag of `new_image` is meant.
    pub tag_selection: Option<TagSelection>,
    /// `platformSelection`: for which platform `new_image` is.
    pub platform_selection: Option<Platform>,
    /// `origins`: where the digest comes from, as it stands in the file.
    pub origins: Option<Value>,
    /// Where the entry stands.
    pub place: Place,
}

impl Override {
    /// The entry that locks images to a reference with digest. It stands nowhere yet.
    #[must_use]
    pub fn locked(matcher: ImageMatcher, new_image: String) -> Self {
        let place = Place {
            file: String::new(),
            line: 0,
            column: 0,
        };
        Self {
            matcher,
            new_image,
            preresolved: true,
            tag_selection: None,
            platform_selection: None,
            origins: None,
            place,
        }
    }

    /// Whether both lock the same images to the same image, wherever they stand.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.new_image == other.new_image
            && self.preresolved == other.preresolved
            && self.tag_selection == other.tag_selection
            && self.platform_selection == other.platform_selection
    }
}

/// One entry of `sources`: an image that is built.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildSource {
    /// Which images it is about.
    pub matcher: ImageMatcher,
    /// The folder that is built, relative to the working directory.
    pub path: String,
    /// The builder and its options; `None` is docker with none.
    pub builder: Option<(String, Value)>,
    /// Where the entry stands.
    pub place: Place,
}

/// One entry of `destinations`: where a built image is pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Which images it is about.
    pub matcher: ImageMatcher,
    /// Where it is pushed.
    pub new_image: String,
    /// Further tags that the pushed image gets.
    pub tags: Vec<String>,
    /// Where the entry stands.
    pub place: Place,
}

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// A key of a map.
    Key(String),
    /// One item of a list.
    Index(usize),
    /// Every item of a list.
    AllIndexes,
}

/// Where in a document an image may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMatcher {
    /// Under this key, wherever it is.
    Name(String),
    /// At exactly this path from the top of the document.
    Path(Vec<PathPart>),
}

/// What is done with a value that a rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// It stays as it is.
    None,
    /// The whole value is an image.
    EntireValue,
    /// The value is a text of JSON in which these rules find images.
    Json(Vec<SearchRule>),
    /// The value is a text of YAML, or JSON, in which these rules find images.
    Yaml(Vec<SearchRule>),
}

/// One entry of `searchRules`. At least one matcher is set; both must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRule {
    /// Where the value stands.
    pub key: Option<KeyMatcher>,
    /// What the value is.
    pub value: Option<ImageMatcher>,
    /// What is done with it.
    pub strategy: Strategy,
    /// The entry as it stands in the file, for writing it into a lock.
    pub raw: Value,
}

impl SearchRule {
    /// The rule that finds every value under a key, wherever it is: an entry of kbld's old `keys`.
    #[must_use]
    pub fn key(name: &str) -> Self {
        Self {
            key: Some(KeyMatcher::Name(name.to_owned())),
            value: None,
            strategy: Strategy::EntireValue,
            raw: serde_json::json!({ "keyMatcher": { "name": name } }),
        }
    }
}

/// The content of one or several Configs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Images and what stands for them.
    pub overrides: Vec<Override>,
    /// Where images are found besides the key `image`.
    pub search_rules: Vec<SearchRule>,
    /// Images that are built.
    pub sources: Vec<BuildSource>,
    /// Where built images are pushed.
    pub destinations: Vec<Destination>,
}
