//! What others did to the objects of an app since its last deploy, and what the next deploy would
//! change. Writes nothing.

use super::found;
use super::look::not_deployed;
use super::prepare::{Prepared, Request, prepare};
use super::store::{self, Recorded};
use super::{App, Error};
use crate::cluster::{Cluster, Discovery};
use crate::diff::{self, Change, Masker, Op, drift};
use crate::event::Sink;
use crate::inventory::{Deploy, PART_OF, Parent};
use crate::object::managed_fields::{self, MANAGER};
use crate::object::{Fingerprint, Gvk, Object, ObjectRef};
use crate::plan::Wait;
use std::collections::{BTreeMap, BTreeSet};

/// What was found.
#[derive(Clone, Debug)]
pub struct Drift {
    /// The last deploy.
    pub last: Option<Deploy>,
    /// What others did: `before` is what was deployed, `after` what is live.
    pub drift: Vec<Change>,
    /// What the next deploy would change besides undoing that, in its order.
    pub pending: Vec<(Change, Wait)>,
    /// How many objects are as they were deployed.
    pub unchanged: usize,
    /// What could not be found out.
    pub notes: Vec<String>,
}

/// Compares the objects of an app with what was last deployed and, given a request, with what is
/// desired now. Without it less is known of each change.
///
/// # Errors
/// When the app does not exist or its objects cannot be read.
pub async fn drift(
    cluster: &Cluster,
    app: &App,
    mut request: Option<Request>,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Drift, Error> {
    let recorded = request.as_mut().and_then(|request| request.recorded.take());
    let (discovery, parent) = store::begin(cluster, app, recorded).await?;
    let parent = parent.ok_or_else(|| not_deployed(app))?;
    let mut found = Drift {
        last: parent.record.last().cloned(),
        drift: Vec::new(),
        pending: Vec::new(),
        unchanged: 0,
        notes: Vec::new(),
    };
    if !parent.record.is_settled() {
        found.notes.push(
            "the last deploy did not succeed: what it has not applied counts as pending".to_owned(),
        );
    }
    let yields = request
        .as_ref()
        .is_some_and(|request| !request.policies.is_empty());
    let prepared = match request {
        Some(request) => {
            let request = Request {
                recorded: Some(Recorded(Some(parent.clone()))),
                force: true,
                prune: true,
                ..request
            };
            match prepare(cluster, request, masker, sink).await {
                // Drift is to be told also when the project cannot be deployed.
                Err(error @ (Error::Refused(_) | Error::Owned(_) | Error::Plan(_))) => {
                    found
                        .notes
                        .push(format!("pending changes are not known: {error}"));
                    None
                }
                prepared => Some(prepared?),
            }
        }
        None => None,
    };
    let seen = match prepared {
        Some(prepared) => by_plan(prepared, &parent, yields, &mut found),
        None => BTreeSet::new(),
    };
    let look = Look {
        cluster,
        discovery: &discovery,
        parent: &parent,
        masker,
    };
    look.members(&seen, &mut found).await?;
    found.drift.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(found)
}

/// Takes a plan apart. Gives back the objects that are known then; those that would be removed are
/// not among them: the plan does not say whether they are as they were deployed.
fn by_plan(
    prepared: Prepared,
    parent: &Parent,
    yields: bool,
    found: &mut Drift,
) -> BTreeSet<ObjectRef> {
    let kept = parent.record.fingerprints();
    let members: BTreeSet<&ObjectRef> = parent.record.objects.iter().map(|m| &m.object).collect();
    let began = parent.record.last().map(|last| last.started.to_string());
    let began = began.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let scaled = diff::autoscaled(
        prepared
            .plan
            .steps
            .iter()
            .filter_map(|step| step.change.desired.as_ref()),
    );
    for step in prepared.plan.steps {
        let change = step.change;
        let target = change.target.clone();
        if change.desired.is_none() {
            found.pending.push((change, step.wait));
            continue;
        }
        let deployed = drift::Deployed {
            fingerprint: kept.get(&target).copied(),
            is_member: members.contains(&target),
            key: parent.record.key(),
            began: &began,
            yields: yields || scaled.contains_key(&target) || has_ca_bundle(&target),
        };
        let parts = drift::take_apart(change, deployed);
        if parts == drift::Parts::default() {
            found.unchanged += 1;
        }
        found.drift.extend(parts.drift);
        found
            .pending
            .extend(parts.pending.map(|change| (change, step.wait)));
        seen.insert(target);
    }
    seen
}

/// Looks at members whose manifests are not at hand.
struct Look<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
    parent: &'a Parent,
    masker: &'a Masker,
}

impl Look<'_> {
    async fn members(&self, seen: &BTreeSet<ObjectRef>, found: &mut Drift) -> Result<(), Error> {
        let live = found::find(self.cluster, self.discovery, self.parent, &[]).await?;
        live.objects
            .values()
            .for_each(|live| self.masker.learn(live));
        let scaled = diff::autoscaled(live.objects.values());
        let record = &self.parent.record;
        let known: BTreeMap<&ObjectRef, Option<&Fingerprint>> = record
            .objects
            .iter()
            .map(|member| (&member.object, member.fingerprint.as_ref()))
            .collect();
        for (target, kept) in known.iter().filter(|(target, _)| !seen.contains(**target)) {
            let object = live.objects.get(*target);
            let change = match (object, kept) {
                // What a deploy that failed did not come to may never have been there.
                (None, None) if !record.is_settled() => continue,
                (None, _) => Some(self.absent(target).await?),
                (Some(live), Some(kept)) => {
                    self.changed(live, kept, scaled.contains_key(*target), found)
                        .await?
                }
                (Some(_), None) => None,
            };
            match change {
                Some(change) => found.drift.push(change),
                None => found.unchanged += 1,
            }
        }
        let strange = live.foreign.iter().filter(|live| {
            let target = live.reference();
            !known.contains_key(&target) && !seen.contains(&target)
        });
        found.drift.extend(strange.map(drift::added));
        Ok(())
    }

    /// A member that no longer carries the label of the app.
    async fn absent(&self, target: &ObjectRef) -> Result<Change, Error> {
        let live = match self.cluster.get(target).await {
            Err(error) if error.is_not_found() => None,
            live => live?,
        };
        let mut change = drift::missing(target);
        if let Some(live) = live {
            change.op = Op::Update;
            change.reason = match live.label(PART_OF) {
                None => "its label was removed: it no longer belongs to the app".to_owned(),
                Some(id) if id == self.parent.id() => {
                    "somebody deleted it and made it anew: it no longer belongs to the app"
                        .to_owned()
                }
                Some(_) => "it belongs to another app now".to_owned(),
            };
            change.live = Some(live);
        }
        Ok(change)
    }

    async fn changed(
        &self,
        live: &Object,
        kept: &Fingerprint,
        scaled: bool,
        found: &mut Drift,
    ) -> Result<Option<Change>, Error> {
        // Our fields are named in the version in which we applied them.
        let ours = managed_fields::entries(live)
            .into_iter()
            .find(|entry| entry.manager == MANAGER && entry.operation == "Apply");
        let version = ours.map_or_else(|| live.api_version().to_owned(), |ours| ours.api_version);
        let converted;
        let live = if version == live.api_version() {
            live
        } else {
            let Some(kind) = self.discovery.find(&Gvk::new(&version, live.kind())) else {
                found.notes.push(format!(
                    "{}: the server no longer serves {version}, in which it was deployed",
                    live.reference()
                ));
                return Ok(None);
            };
            converted = self.cluster.get_as(kind, &live.reference()).await?;
            converted.as_ref().unwrap_or(live)
        };
        let key = self.parent.record.key();
        Ok(drift::without_manifest(
            live,
            kept,
            key,
            scaled,
            self.masker,
        ))
    }
}

/// Whether a controller may have put a certificate into an object.
fn has_ca_bundle(target: &ObjectRef) -> bool {
    target.kind.ends_with("WebhookConfiguration")
        || ["APIService", "CustomResourceDefinition"].contains(&target.kind.as_str())
}
