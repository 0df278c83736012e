//! `.Capabilities`: what a chart may know of the cluster and of Helm.
//!
//! Follows helm v4 `pkg/chart/common/capabilities.go`. Without a cluster both profiles assume what
//! their newest releases assume: v4.3.1 and v3.22.0 are built with client-go v0.37.

use super::{Error, Profile};
use crate::value::quote::quoted;
use crate::value::{Elem, Kind, List, Method, Object, Str, Value};
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

/// The version of Kubernetes, as a chart sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KubeVersion {
    /// The whole version, such as `v1.33.4-gke.1245000`.
    pub version: String,
    /// Without suffix, for `kubeVersion` of charts.
    pub normalized: String,
    /// The first number.
    pub major: String,
    /// The second number.
    pub minor: String,
}

/// A cluster's abilities.
///
/// A chart asks with `.Capabilities.APIVersions.Has "apps/v1/Deployment"`, which is true only for what stands
/// here word for word.
///
/// ```
/// use windlass_helm::chart::{Capabilities, KubeVersion, Profile};
///
/// let mut cluster = Capabilities::offline();
/// cluster.kube_version = KubeVersion::parse("v1.33.4-gke.1245000", Profile::Helm4)?;
/// cluster.api_versions.push("monitoring.coreos.com/v1".to_owned());
/// assert_eq!(cluster.kube_version.minor, "33");
/// assert_eq!(cluster.kube_version.normalized, "v1.33.4");
/// # Ok::<(), windlass_helm::chart::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// The API versions it serves: `apps/v1`, and `apps/v1/Deployment` when a cluster was asked.
    pub api_versions: Vec<String>,
}

impl Capabilities {
    /// What Helm assumes without a cluster.
    ///
    /// Helm takes these from the version of client-go that it is built with, so a newer Helm assumes a newer
    /// Kubernetes; give a version where that must not change under a chart.
    #[must_use]
    pub fn offline() -> Self {
        Self {
            kube_version: KubeVersion {
                version: "v1.37.0".into(),
                normalized: "v1.37.0".into(),
                major: "1".into(),
                minor: "37".into(),
            },
            api_versions: API_VERSIONS
                .iter()
                .map(|&version| version.to_owned())
                .collect(),
        }
    }
}

impl KubeVersion {
    /// Reads `--kube-version`: two numbers or more, whatever may follow.
    ///
    /// Follows k8s.io/apimachinery `pkg/util/version`, `ParseGeneric`.
    ///
    /// # Errors
    /// Helm's text.
    pub fn parse(text: &str, profile: Profile) -> Result<Self, Error> {
        let numbers = generic_version(text)
            .map_err(|error| Error::Option(format!("invalid kube version '{text}': {error}")))?;
        let joined: Vec<_> = numbers.iter().map(u64::to_string).collect();
        let normalized = format!("v{}", joined.join("."));
        let version = if profile.is_helm3() {
            normalized.clone()
        } else if text.starts_with('v') {
            text.to_owned()
        } else {
            format!("v{text}")
        };
        let [major, minor] = [joined[0].clone(), joined[1].clone()];
        Ok(Self {
            version,
            normalized,
            major,
            minor,
        })
    }

    /// The version without suffix, as `String` gives it.
    fn shown(&self) -> &str {
        if self.normalized.is_empty() {
            &self.version
        } else {
            &self.normalized
        }
    }

    /// A copy as `deepCopy` makes it: the field that Helm 4 does not export is empty.
    fn deep_copy(&self, profile: Profile) -> Self {
        let mut copy = self.clone();
        if !profile.is_helm3() {
            copy.normalized.clear();
        }
        copy
    }
}

fn generic_version(text: &str) -> Result<Vec<u64>, String> {
    let shown = quoted(text);
    let rest = text.trim_start();
    let rest = rest.strip_prefix('v').unwrap_or(rest);
    let mut numbers = Vec::new();
    let mut at = 0;
    loop {
        let digits = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        numbers.push(&rest[at..at + digits]);
        at += digits;
        let more = rest[at..]
            .strip_prefix('.')
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
        if !more {
            break;
        }
        at += 1;
    }
    if numbers.is_empty() {
        return Err(format!("could not parse {shown} as version"));
    }
    if numbers.len() < 2 {
        return Err(format!("illegal version string {shown}"));
    }
    if numbers[0].len() > 1 && numbers[0].starts_with('0') {
        let number = quoted(numbers[0]);
        return Err(format!(
            "illegal zero-prefixed version component {number} in {shown}"
        ));
    }
    let parse = |number: &&str| {
        number.parse().map_err(|_| {
            format!(
                "illegal non-numeric version component {} in {shown}",
                quoted(number)
            )
        })
    };
    numbers.iter().map(parse).collect()
}

/// The API versions that client-go v0.37 knows, in its order.
const API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// `.Capabilities` itself.
#[derive(Debug)]
pub(super) struct Root {
    capabilities: Capabilities,
    profile: Profile,
}

/// `.Capabilities` as a value.
pub(super) fn value(capabilities: Capabilities, profile: Profile) -> Value {
    Value::Object(Rc::new(Root {
        capabilities,
        profile,
    }))
}

impl Root {
    fn package(&self) -> &'static str {
        if self.profile.is_helm3() {
            "chartutil"
        } else {
            "common"
        }
    }
}

impl Object for Root {
    fn type_name(&self) -> Cow<'static, str> {
        format!("*{}.Capabilities", self.package()).into()
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Capabilities {
            kube_version,
            api_versions,
        } = self.capabilities.clone();
        let package = self.package();
        let kube_version = KubeVersionValue {
            version: kube_version,
            profile: self.profile,
        };
        vec![
            ("KubeVersion", Value::Object(Rc::new(kube_version))),
            (
                "APIVersions",
                Value::Object(Rc::new(VersionSet {
                    versions: api_versions,
                    package,
                })),
            ),
            (
                "HelmVersion",
                Value::Object(Rc::new(BuildInfo(self.profile))),
            ),
        ]
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"Copy").then_some(Method {
            name: "Copy",
            params: &[],
            variadic: false,
        })
    }

    fn call(&self, _name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(value(self.capabilities.clone(), self.profile))
    }

    fn deep_copy(&self) -> Option<Value> {
        let mut capabilities = self.capabilities.clone();
        capabilities.kube_version = capabilities.kube_version.deep_copy(self.profile);
        Some(value(capabilities, self.profile))
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.KubeVersion`.
#[derive(Debug)]
struct KubeVersionValue {
    version: KubeVersion,
    profile: Profile,
}

impl Object for KubeVersionValue {
    fn type_name(&self) -> Cow<'static, str> {
        let package = if self.profile.is_helm3() {
            "chartutil"
        } else {
            "common"
        };
        format!("{package}.KubeVersion").into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let KubeVersion {
            version,
            normalized,
            major,
            minor,
        } = &self.version;
        let mut fields = vec![("Version", Value::from(version.as_str()))];
        if !self.profile.is_helm3() {
            fields.push(("normalizedVersion", Value::from(normalized.as_str())));
        }
        fields.push(("Major", Value::from(major.as_str())));
        fields.push(("Minor", Value::from(minor.as_str())));
        fields
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        let name = match name {
            b"String" => "String",
            b"GitVersion" => "GitVersion",
            _ => return None,
        };
        Some(Method {
            name,
            params: &[],
            variadic: false,
        })
    }

    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(Value::from(match name {
            "GitVersion" => self.version.version.as_str(),
            _ => self.version.shown(),
        }))
    }

    fn pointer_to_str(&self) -> Option<Str> {
        Some(self.version.shown().into())
    }

    fn deep_copy(&self) -> Option<Value> {
        let version = self.version.deep_copy(self.profile);
        let profile = self.profile;
        Some(Value::Object(Rc::new(Self { version, profile })))
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.exported_fields())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`: a slice with the method `Has`.
#[derive(Debug)]
struct VersionSet {
    versions: Vec<String>,
    package: &'static str,
}

impl Object for VersionSet {
    fn type_name(&self) -> Cow<'static, str> {
        format!("{}.VersionSet", self.package).into()
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"Has").then_some(Method {
            name: "Has",
            params: &["string"],
            variadic: false,
        })
    }

    fn call(&self, _name: &str, args: &[Value]) -> Result<Value, String> {
        let wanted = args.first().and_then(Value::as_str);
        let has =
            |version: &String| wanted.is_some_and(|text| text.as_bytes() == version.as_bytes());
        Ok(Value::Bool(self.versions.iter().any(has)))
    }

    fn underlying(&self) -> Option<Value> {
        let items = self
            .versions
            .iter()
            .map(|version| Value::from(version.as_str()));
        Some(Value::List(List::new(items.collect(), Elem::Str)))
    }

    fn to_json(&self) -> Value {
        self.underlying().unwrap_or(Value::Nil)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.HelmVersion`: what the newest release, built from its module, says of itself.
#[derive(Debug)]
struct BuildInfo(Profile);

impl Object for BuildInfo {
    fn type_name(&self) -> Cow<'static, str> {
        "version.BuildInfo".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let version = if self.0.is_helm3() { "v3.22" } else { "v4.3" };
        let mut fields = vec![
            ("Version", Value::from(version)),
            ("GitCommit", Value::from("")),
            ("GitTreeState", Value::from("")),
            ("GoVersion", Value::from("go1.26.8")),
        ];
        if !self.0.is_helm3() {
            fields.push(("KubeClientVersion", Value::from("v1.37")));
        }
        fields
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let named = [
            ("Version", "version"),
            ("GoVersion", "go_version"),
            ("KubeClientVersion", "kube_client_version"),
        ];
        let fields = named
            .into_iter()
            .filter_map(|(name, json)| Some((json, self.field(name.as_bytes())?)));
        Some(fields.collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::KubeVersion;
    use crate::chart::Profile;

    #[test]
    fn keeps_suffixes_in_helm_4_only() {
        let version = KubeVersion::parse("1.33.4-gke.1", Profile::Helm4).unwrap();
        assert_eq!(version.version, "v1.33.4-gke.1");
        assert_eq!(version.normalized, "v1.33.4");
        let version = KubeVersion::parse("v1.33.4-gke.1", Profile::Helm3).unwrap();
        assert_eq!(
            (version.version.as_str(), version.minor.as_str()),
            ("v1.33.4", "33")
        );
        assert_eq!(
            KubeVersion::parse("v1.20", Profile::Helm4)
                .unwrap()
                .normalized,
            "v1.20"
        );
    }

    #[test]
    fn refuses_what_is_no_version() {
        for (text, message) in [
            (
                "x",
                "invalid kube version 'x': could not parse \"x\" as version",
            ),
            (
                "1",
                "invalid kube version '1': illegal version string \"1\"",
            ),
            (
                "01.2",
                "invalid kube version '01.2': illegal zero-prefixed version component \"01\" in \"01.2\"",
            ),
        ] {
            assert_eq!(
                KubeVersion::parse(text, Profile::Helm4)
                    .unwrap_err()
                    .to_string(),
                message
            );
        }
    }
}
