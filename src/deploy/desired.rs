//! Brings manifests into the form in which they are sent: normalized, placed, labeled, and yielding to
//! the live object where somebody says so. Knows live objects only as values.

use super::found::{Found, is_foreign};
use super::policy::{self, FieldPolicy};
use super::prepare::Request;
use super::{Error, Refusal, adopt};
use crate::cluster::Discovery;
use crate::diff::{self, Change};
use crate::inventory::{PART_OF, Parent};
use crate::kapp::{self, Rules, Versioned};
use crate::object::{self, Manifest, Scope};
use jiff::Timestamp;

/// Brings the manifests into the form in which they are sent: normalized, placed, labeled.
pub(super) fn desired(
    discovery: &Discovery,
    parent: &Parent,
    request: &mut Request,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if !request.as_is {
        let (problems, unknown) = kapp::check(&request.manifests);
        object::Error::check(problems)?;
        warnings.extend(unknown);
    }
    for manifest in &mut request.manifests {
        let source = manifest.source.clone();
        let noted = object::normalize(&mut manifest.object);
        warnings.extend(
            noted
                .into_iter()
                .map(|warning| format!("{source}: {warning}")),
        );
    }
    let scope = |gvk: &object::Gvk| {
        let kind = discovery.find(gvk)?;
        Some(if kind.namespaced {
            Scope::Namespaced
        } else {
            Scope::Cluster
        })
    };
    warnings.extend(object::place(
        &mut request.manifests,
        &scope,
        &request.app.namespace,
    )?);
    let id = parent.id();
    for manifest in &mut request.manifests {
        if !is_foreign(manifest) {
            let rules = &request.rules;
            kapp::label(&mut manifest.object, &rules.labels, &rules.label_places);
            if !request.as_is {
                kapp::renew_nonce(&mut manifest.object, request.now);
            }
            manifest.object.set_metadata("labels", PART_OF, &id);
        }
    }
    Ok(warnings)
}

/// What desired objects are seen in view of.
pub(super) struct Context<'a> {
    pub(super) found: &'a Found,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
    pub(super) id: String,
}

impl Context<'_> {
    /// Puts the names of versions where the object names them, and lets fields yield to the live
    /// object where rules say so.
    pub(super) fn adjust(&self, manifest: &mut Manifest, names: &[Versioned]) {
        kapp::rewrite(&mut manifest.object, names, &self.rules.template);
        let live = self.found.objects.get(&manifest.object.reference());
        let Some(live) = live.filter(|_| !is_foreign(manifest)) else {
            return;
        };
        kapp::renew(&mut manifest.object, live, self.now);
        kapp::rebase(&mut manifest.object, live, self.rules);
        manifest.object.set_metadata("labels", PART_OF, &self.id);
    }
}

/// Refuses definitions of kinds whose change could lose data, where the rules ask for that.
pub(super) fn check_definitions(rules: &Rules, changes: &[Change]) -> Result<(), Error> {
    let mut refused = Vec::new();
    for change in changes.iter().filter(|_| rules.safe_crds) {
        let (Some(desired), Some(live)) = (&change.desired, &change.live) else {
            continue;
        };
        refused.extend(
            kapp::dangers(live, desired)
                .into_iter()
                .map(|message| Refusal {
                    target: change.target.clone(),
                    source: change.source.clone(),
                    message,
                }),
        );
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(refused))
    }
}

/// Takes out of the manifests what is left to others, and tells of it; what kapp's labels made
/// unchangeable stays.
pub(super) fn leave(
    manifests: &mut [Manifest],
    policies: &[FieldPolicy],
    found: &Found,
) -> Result<Vec<String>, Error> {
    let mut notes = policy::follow_autoscalers(manifests, &found.objects);
    let mut refused = Vec::new();
    for manifest in manifests {
        let target = manifest.object.reference();
        let Some(live) = found.objects.get(&target) else {
            continue;
        };
        adopt::keep_scope(&mut manifest.object, live);
        diff::leave_ca_bundles(&mut manifest.object, live);
        match policy::policies(&manifest.object, policies, false) {
            Ok(policies) => notes.extend(policy::leave_to_others(manifest, live, &policies)),
            Err(message) => refused.push(Refusal {
                target,
                source: Some(manifest.source.clone()),
                message,
            }),
        }
    }
    if refused.is_empty() {
        Ok(notes)
    } else {
        Err(Error::Refused(refused))
    }
}
