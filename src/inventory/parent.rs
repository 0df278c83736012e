//! The parent of an app's ApplySet: a Secret that names its kinds and holds its record.

use super::label::{GROUP_KINDS, ID, NAMESPACES, TOOLING, parse_kinds, write_kinds};
use super::record::FORMAT;
use super::{GroupKind, Member, Record, set_id};
use crate::object::{Fingerprint, Object, ObjectRef, digest};
use crate::status::Rule;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

/// What the name of a parent begins with; the name of the app follows.
pub const PREFIX: &str = "windlass.";
/// The tool's name in the tooling annotation.
const TOOL: &str = "windlass";
/// The label by which parents of every app are found.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "windlass");
const SECRET_TYPE: &str = "windlass.dev/record";
const PLAIN: &str = "record";
const PACKED: &str = "record.gz";
/// Records beyond this are compressed.
const PACK_FROM: usize = 16 * 1024;
/// What a record may take in its Secret, of the 1 MiB that a Secret may hold.
const LARGEST_PACKED: usize = 1_000_000;
/// What a member takes at most beside its names.
const MEMBER_BYTES: usize = 250;
/// What a record may unpack to.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Why a Secret is not the parent of an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another tool manages the set.
    #[error("Secret/{name} ({namespace}) is the ApplySet of another tool: {tooling}")]
    OtherTool {
        /// The Secret.
        name: String,
        /// Its namespace.
        namespace: String,
        /// What its tooling annotation says.
        tooling: String,
    },
    /// Its id is not the one of its name: a copy, or an imposter.
    #[error(
        "Secret/{name} ({namespace}) carries the ApplySet id `{found}`, not `{wanted}`: it is no record of windlass or a copy of one"
    )]
    WrongId {
        /// The Secret.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Its label.
        found: String,
        /// What the label must be.
        wanted: String,
    },
    /// The app has more objects than a record can hold.
    #[error(
        "the record of app `{app}` would take {} KiB for {objects} objects, more than the {} KiB that a Secret has room for: deploy it as several apps",
        size.div_ceil(1024), LARGEST_PACKED / 1024
    )]
    TooLarge {
        /// The app.
        app: String,
        /// How many objects it would have.
        objects: usize,
        /// What the record would take, in bytes.
        size: usize,
    },
    /// The record cannot be read.
    #[error("record in Secret/{name} ({namespace}): {reason}")]
    Record {
        /// The Secret.
        name: String,
        /// Its namespace.
        namespace: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The parent of an app's set.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// The namespace of the Secret.
    pub record_namespace: String,
    /// Kinds that members have or are about to have.
    pub kinds: BTreeSet<GroupKind>,
    /// Namespaces that members are in or are about to be in, besides `record_namespace`.
    pub namespaces: BTreeSet<String>,
    /// The record.
    pub record: Record,
    /// The uid of the Secret; empty before it exists.
    pub uid: String,
    /// The version that was read; empty before it exists.
    pub resource_version: String,
}

impl Parent {
    /// The parent of an app that was never deployed.
    #[must_use]
    pub fn new(app: &str, namespace: &str, record_namespace: &str, key: &[u8]) -> Self {
        Self {
            record_namespace: record_namespace.to_owned(),
            kinds: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            record: Record::new(app, namespace, key),
            uid: String::new(),
            resource_version: String::new(),
        }
    }

    /// The Secret of an app.
    #[must_use]
    pub fn reference_of(app: &str, record_namespace: &str) -> ObjectRef {
        ObjectRef {
            group: String::new(),
            kind: "Secret".to_owned(),
            namespace: Some(record_namespace.to_owned()),
            name: format!("{PREFIX}{app}"),
        }
    }

    /// The label selector that finds the parents of all apps.
    #[must_use]
    pub fn selector() -> String {
        format!("{ID},{}={}", MANAGED_BY.0, MANAGED_BY.1)
    }

    /// The Secret of this app.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        Self::reference_of(&self.record.app, &self.record_namespace)
    }

    /// The id of the set.
    #[must_use]
    pub fn id(&self) -> String {
        set_id(&self.reference().name, &self.record_namespace)
    }

    /// Whether the Secret was in the cluster when it was read.
    #[must_use]
    pub fn exists(&self) -> bool {
        !self.uid.is_empty()
    }

    /// All namespaces of members and of the parent.
    #[must_use]
    pub fn all_namespaces(&self) -> BTreeSet<String> {
        let mut all = self.namespaces.clone();
        all.insert(self.record_namespace.clone());
        all
    }

    /// Takes an object into the scope of the set.
    pub fn widen(&mut self, object: &ObjectRef) {
        self.kinds.insert(GroupKind::of(object));
        self.namespaces.extend(
            object
                .namespace
                .clone()
                .filter(|name| *name != self.record_namespace),
        );
    }

    /// Reads the Secret of an app.
    ///
    /// # Errors
    /// When it belongs to something else or its record cannot be read.
    pub fn read(secret: &Object) -> Result<Self, Error> {
        let name = secret.name().to_owned();
        let namespace = secret.namespace().unwrap_or_default().to_owned();
        let tooling = secret.annotation(TOOLING).unwrap_or("none");
        if tooling.rsplit_once('/').map_or(tooling, |(tool, _)| tool) != TOOL {
            return Err(Error::OtherTool {
                name,
                namespace,
                tooling: tooling.to_owned(),
            });
        }
        let wanted = set_id(&name, &namespace);
        let found = secret.label(ID).unwrap_or_default();
        if found != wanted {
            return Err(Error::WrongId {
                found: found.to_owned(),
                name,
                namespace,
                wanted,
            });
        }
        let record = match read_record(secret) {
            Ok(record) => record,
            Err(reason) => {
                return Err(Error::Record {
                    name,
                    namespace,
                    reason,
                });
            }
        };
        let namespaces = secret.annotation(NAMESPACES).unwrap_or_default();
        Ok(Self {
            record_namespace: namespace,
            kinds: parse_kinds(secret.annotation(GROUP_KINDS).unwrap_or_default()),
            namespaces: namespaces
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            record,
            uid: secret.uid().to_owned(),
            resource_version: secret.resource_version().to_owned(),
        })
    }

    /// Makes sure that the record has room for these members and the rules that say when they are
    /// ready: to be asked before the first of them is written.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn has_room_for(
        &self,
        members: &[ObjectRef],
        rules: &BTreeMap<ObjectRef, Rule>,
    ) -> Result<(), Error> {
        let names = |object: &ObjectRef| {
            let namespace = object.namespace.as_deref().unwrap_or_default();
            object.group.len() + object.kind.len() + namespace.len() + object.name.len()
        };
        let bound: usize = members
            .iter()
            .map(|object| names(object) + MEMBER_BYTES)
            .sum();
        if bound < LARGEST_PACKED / 2 && rules.is_empty() {
            return Ok(());
        }
        let mut record = self.record.clone();
        // Objects go before the details of old deploys.
        while record.forget_oldest() {}
        record.objects = members
            .iter()
            .map(|object| rehearsed(record.key(), object))
            .collect();
        record.set_rules(rules);
        let failed = |reason: String| Error::Record {
            name: self.reference().name,
            namespace: self.record_namespace.clone(),
            reason,
        };
        let text = serde_json::to_vec(&record).map_err(|error| failed(error.to_string()))?;
        let size = pack(&text)
            .map_err(|error| failed(error.to_string()))?
            .len();
        if size <= LARGEST_PACKED {
            return Ok(());
        }
        Err(Error::TooLarge {
            app: self.record.app.clone(),
            objects: members.len(),
            size,
        })
    }

    /// The Secret as it is to be written. Its resource version, when it has one, is the precondition.
    /// Where the record is too large for it, the oldest deploys lose their details.
    ///
    /// # Errors
    /// When the record cannot be packed.
    pub fn write(&mut self) -> Result<Object, Error> {
        let reference = self.reference();
        let namespace = self.record_namespace.clone();
        let failed = |reason: String| Error::Record {
            name: reference.name.clone(),
            namespace: namespace.clone(),
            reason,
        };
        let (field, bytes) = loop {
            let packed = packed(&self.record).map_err(|error| failed(error.to_string()))?;
            if packed.1.len() <= LARGEST_PACKED || !self.record.forget_oldest() {
                break packed;
            }
        };
        let namespaces: Vec<&str> = self
            .namespaces
            .iter()
            .map(String::as_str)
            .filter(|name| *name != self.record_namespace)
            .collect();
        let mut tree = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": SECRET_TYPE,
            "metadata": {
                "name": reference.name,
                "namespace": self.record_namespace,
                "labels": {ID: self.id(), MANAGED_BY.0: MANAGED_BY.1},
                "annotations": {
                    TOOLING: format!("{TOOL}/v{}", env!("CARGO_PKG_VERSION")),
                    GROUP_KINDS: write_kinds(&self.kinds),
                    NAMESPACES: namespaces.join(","),
                },
            },
            "data": {field: STANDARD.encode(bytes)},
        });
        if self.exists() {
            tree["metadata"]["uid"] = self.uid.as_str().into();
            tree["metadata"]["resourceVersion"] = self.resource_version.as_str().into();
        }
        Object::new(tree).ok_or_else(|| failed("it is not an object".to_owned()))
    }
}

/// The record as it stands in the Secret: the field, and its bytes.
fn packed(record: &Record) -> std::io::Result<(&'static str, Vec<u8>)> {
    let text = serde_json::to_vec(record)?;
    Ok(match text.len() < PACK_FROM {
        true => (PLAIN, text),
        false => (PACKED, pack(&text)?),
    })
}

/// A member with a fingerprint that compresses as badly as a real one.
fn rehearsed(key: &[u8], object: &ObjectRef) -> Member {
    let name = object.to_string();
    Member {
        object: object.clone(),
        fingerprint: Some(Fingerprint {
            desired: digest(key, &json!([name])),
            owned: digest(key, &json!({"owned": name})),
        }),
        uid: digest(key, &json!({"uid": name}))
            .chars()
            .take(36)
            .collect(),
    }
}

fn read_record(secret: &Object) -> Result<Record, String> {
    let field = |name: &str| {
        let text = secret.text(&["data", name]);
        (!text.is_empty()).then(|| STANDARD.decode(text).map_err(|error| error.to_string()))
    };
    let text = match (field(PLAIN), field(PACKED)) {
        (Some(plain), _) => plain?,
        (None, Some(packed)) => unpack(&packed?).map_err(|error| error.to_string())?,
        (None, None) => return Err("it is missing".to_owned()),
    };
    let header: Header = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if header.format_version > FORMAT {
        return Err(format!(
            "it has format {}, written by a later windlass",
            header.format_version
        ));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format_version: u32,
}

fn pack(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(LARGEST)
        .read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ConditionRule, Meaning};

    fn member(name: &str) -> Member {
        let object = ObjectRef {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("other".to_owned()),
            name: name.to_owned(),
        };
        Member {
            object,
            fingerprint: None,
            uid: String::new(),
        }
    }

    fn sample(members: usize) -> Parent {
        let mut parent = Parent::new("web", "prod", "prod", b"key");
        for index in 0..members {
            let member = member(&format!("object-{index}"));
            parent.widen(&member.object);
            parent.record.objects.push(member);
        }
        parent
    }

    fn stored(parent: &mut Parent) -> Object {
        let mut secret = parent.write().unwrap();
        secret.tree_mut()["metadata"]["uid"] = "u".into();
        secret.tree_mut()["metadata"]["resourceVersion"] = "7".into();
        secret
    }

    #[test]
    fn reads_what_it_wrote_small_and_large() {
        for members in [1, 2000] {
            let mut parent = sample(members);
            let read = Parent::read(&stored(&mut parent)).unwrap();
            assert_eq!(read.record, parent.record);
            assert_eq!(read.kinds, parent.kinds);
            assert_eq!(read.namespaces, parent.namespaces);
            assert_eq!(
                (read.uid.as_str(), read.resource_version.as_str()),
                ("u", "7")
            );
        }
    }

    fn many(count: usize) -> Vec<ObjectRef> {
        (0..count)
            .map(|index| member(&format!("some-service-config-{index}")).object)
            .collect()
    }

    #[test]
    fn has_room_for_thousands_of_objects() {
        let mut parent = sample(0);
        let targets = many(5000);
        parent.has_room_for(&targets, &BTreeMap::new()).unwrap();
        parent.record.objects = targets
            .iter()
            .map(|object| rehearsed(parent.record.key(), object))
            .collect();
        let secret = stored(&mut parent);
        let size = secret.text(&["data", PACKED]).len() * 3 / 4;
        assert!(size < 350_000, "{size}");
        assert_eq!(Parent::read(&secret).unwrap().record, parent.record);
    }

    #[test]
    fn says_before_that_there_is_no_room() {
        let none = BTreeMap::new();
        let error = sample(0).has_room_for(&many(40_000), &none).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("the record of app `web` would take "),
            "{text}"
        );
        assert!(
            text.ends_with(" KiB for 40000 objects, more than the 976 KiB that a Secret has room for: deploy it as several apps"),
            "{text}"
        );
    }

    #[test]
    fn rules_take_room_too() {
        // Words that no compression makes short.
        let rule = |seed: u64| {
            let next =
                |number: &u64| Some(number.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (number >> 29));
            let numbers = std::iter::successors(Some(seed + 1), next).take(1500);
            let condition = ConditionRule {
                kind: numbers.map(|number| format!("{number:016x}")).collect(),
                status: "True".to_owned(),
                meaning: Meaning::Success,
                observed_generation: false,
            };
            Rule {
                observed_generation: false,
                conditions: vec![condition],
            }
        };
        let room_for = |seed: &dyn Fn(u64) -> u64| {
            let rules = many(100).into_iter().zip(0..);
            let rules = rules.map(|(target, index)| (target, rule(seed(index))));
            sample(0).has_room_for(&many(100), &rules.collect())
        };
        assert_eq!(room_for(&|_| 0), Ok(()));
        assert!(matches!(
            room_for(&|index| index),
            Err(Error::TooLarge { .. })
        ));
    }

    #[test]
    fn annotates_as_kubectl_does() {
        let secret = sample(1).write().unwrap();
        assert_eq!(secret.annotation(GROUP_KINDS), Some("Deployment.apps"));
        assert_eq!(secret.annotation(NAMESPACES), Some("other"));
        assert_eq!(
            secret.label(ID),
            Some(set_id("windlass.web", "prod").as_str())
        );
    }

    #[test]
    fn refuses_sets_of_other_tools_and_copies() {
        let mut secret = stored(&mut sample(1));
        secret.set_metadata("annotations", TOOLING, "kubectl/v1.36.0");
        assert!(matches!(
            Parent::read(&secret),
            Err(Error::OtherTool { .. })
        ));
        let mut copy = stored(&mut sample(1));
        copy.set_namespace("elsewhere");
        assert!(matches!(Parent::read(&copy), Err(Error::WrongId { .. })));
    }

    #[test]
    fn refuses_a_record_of_a_later_format() {
        let mut secret = stored(&mut sample(1));
        secret.tree_mut()["data"]["record"] = STANDARD.encode(r#"{"formatVersion":99}"#).into();
        let error = Parent::read(&secret).unwrap_err().to_string();
        assert!(
            error.ends_with("it has format 99, written by a later windlass"),
            "{error}"
        );
    }
}
