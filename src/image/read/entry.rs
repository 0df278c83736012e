//! Reading what stands for images: `overrides`, and the images of an ImagesLock.

use super::super::config::{Config, IMAGES_LOCK_ID, IMAGES_LOCK_ORIGINS, ImageMatcher, Override};
use super::super::{Error, Place, Platform, Range, Reference, TagSelection};
use super::field::{Reader, find};
use windlass_helm::yaml::{NodeId, NodeKind};

impl Reader<'_> {
    pub(super) fn entry(&self, node: NodeId) -> Result<Override, Error> {
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
            tag_selection: self.optional(&entries, "tagSelection", Self::tag_selection)?,
            platform_selection: self.optional(&entries, "platformSelection", Self::platform)?,
            origins: self
                .optional(&entries, "origins", Self::json)?
                .filter(|value| !value.is_null()),
            place,
        };
        let new_place =
            find(&entries, "newImage").map_or_else(|| self.place(node), |n| self.place(n));
        check_new_image(&entry, new_place)?;
        Ok(entry)
    }

    fn tag_selection(&self, node: NodeId) -> Result<TagSelection, Error> {
        let entries = self.entries(node, "`tagSelection`", &["semver"])?;
        let missing = || Error::Missing {
            place: self.place(node),
            within: "`tagSelection`".to_owned(),
            what: "`semver`",
        };
        let semver = find(&entries, "semver").ok_or_else(missing)?;
        let entries = self.entries(semver, "`semver`", &["constraints", "prereleases"])?;
        let constraints = match find(&entries, "constraints") {
            Some(value) if !self.is_null(value) => self.range(value)?,
            _ => None,
        };
        let prereleases = self.optional(&entries, "prereleases", |reader, node| {
            let entries = reader.entries(node, "`prereleases`", &["identifiers"])?;
            match find(&entries, "identifiers") {
                Some(list) => reader.list(list, "identifiers", |n| reader.text(n, "an identifier")),
                None => Ok(Vec::new()),
            }
        })?;
        Ok(TagSelection {
            constraints,
            prereleases,
        })
    }

    fn range(&self, node: NodeId) -> Result<Option<Range>, Error> {
        let text = self.text(node, "`constraints`")?;
        let range = Range::parse(&text).map_err(|problem| Error::Range {
            place: self.place(node),
            range: text.clone(),
            problem,
        })?;
        Ok((!text.trim().is_empty()).then_some(range))
    }

    fn platform(&self, node: NodeId) -> Result<Platform, Error> {
        const KNOWN: [&str; 6] = [
            "architecture",
            "os",
            "os.version",
            "os.features",
            "variant",
            "features",
        ];
        let entries = self.entries(node, "`platformSelection`", &KNOWN)?;
        let text = |key| Ok::<_, Error>(self.optional_text(&entries, key)?.unwrap_or_default());
        let list = |key| match find(&entries, key) {
            Some(value) => self.list(value, key, |n| self.text(n, "a feature")),
            None => Ok(Vec::new()),
        };
        Ok(Platform {
            architecture: text("architecture")?,
            os: text("os")?,
            os_version: text("os.version")?,
            os_features: list("os.features")?,
            variant: text("variant")?,
            features: list("features")?,
        })
    }

    /// An image map: each of its fields is an entry that needs no registry.
    pub(super) fn image_map(&self, root: NodeId) -> Result<Vec<Override>, Error> {
        if !matches!(self.kind(root), NodeKind::Mapping(_)) {
            return Err(self.wrong(root, "an image map", "an object of image references"));
        }
        let entry = |&(key, value): &(NodeId, NodeId)| {
            let matcher = ImageMatcher::Image(self.text(key, "an image")?);
            let new_image = self.text(value, "an image of an image map")?;
            let entry = Override {
                place: self.place(key),
                ..Override::locked(matcher, new_image)
            };
            check_new_image(&entry, self.place(value))?;
            Ok(entry)
        };
        self.document.entries(root).iter().map(entry).collect()
    }

    /// imgpkg's ImagesLock: every image with kbld's id is an entry that needs no registry. Its first
    /// form has the list below `spec`.
    pub(super) fn images_lock(&self, root: NodeId, config: &mut Config) -> Result<(), Error> {
        let known = ["apiVersion", "kind", "images", "spec"];
        let mut entries = self.entries(root, "ImagesLock", &known)?;
        if let Some(spec) = find(&entries, "spec") {
            entries = self.entries(spec, "`spec`", &["images"])?;
        }
        if let Some(images) = find(&entries, "images") {
            let overrides = self.list(images, "images", |node| self.locked_image(node))?;
            config.overrides.extend(overrides);
        }
        Ok(())
    }

    fn locked_image(&self, node: NodeId) -> Result<Override, Error> {
        let within = "an entry of `images`";
        let entries = self.entries(node, within, &["image", "annotations"])?;
        let missing = |what| Error::Missing {
            place: self.place(node),
            within: within.to_owned(),
            what,
        };
        let annotation = |name| {
            let annotations = find(&entries, "annotations")?;
            self.document.get(annotations, name)
        };
        let id = annotation(IMAGES_LOCK_ID)
            .ok_or_else(|| missing("the annotation `kbld.carvel.dev/id`"))?;
        let origins = match annotation(IMAGES_LOCK_ORIGINS) {
            Some(value) => self.embedded_yaml(value, "the annotation `kbld.carvel.dev/origins`")?,
            None => None,
        };
        let image = find(&entries, "image").ok_or_else(|| missing("`image`"))?;
        let id = self.text(id, "the annotation `kbld.carvel.dev/id`")?;
        let mut entry = Override {
            origins,
            place: self.place(node),
            ..Override::locked(ImageMatcher::Image(id), self.text(image, "`image`")?)
        };
        let reference = check_new_image(&entry, self.place(image))?;
        if let Some(digest) = &reference.digest {
            entry.new_image = reference.pinned(digest);
        }
        Ok(entry)
    }
}

/// A new image must be a reference; one that is final must name its manifest by digest.
fn check_new_image(entry: &Override, place: Place) -> Result<Reference, Error> {
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
    Ok(reference)
}

/// Whether a reference is one that kbld gives to an image it built and did not push:
/// `kbld:<name>-sha256-<64 digits>`, whose tag names the content, or `kbld:rand-<time>-…` from
/// kubectl-buildkit, which no other build writes. Both are as good as a digest.
fn is_local_build(reference: &Reference) -> bool {
    let tag = reference.tag.as_deref().unwrap_or_default();
    let hex = tag.rsplit_once("sha256-").map(|(_, hex)| hex);
    let time = tag
        .strip_prefix("rand-")
        .and_then(|rest| rest.split('-').next());
    reference.repository == "library/kbld"
        && (hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            || time
                .is_some_and(|time| time.len() >= 10 && time.bytes().all(|b| b.is_ascii_digit())))
}
