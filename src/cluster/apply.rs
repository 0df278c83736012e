//! Writing: server-side apply, its dry run, and the few plain writes that records and locks need.

use super::live::read_object;
use super::request::{Request, Verb};
use super::{Cluster, Error, Kind, action};
use crate::object::managed_fields::MANAGER;
use crate::object::{Object, ObjectRef};
use crate::percent::encode;
use serde_json::Value;

/// The media type of server-side apply: YAML, for servers of before 1.32 know no other.
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

impl Cluster {
    /// Applies an object and gives back what the server made of it.
    ///
    /// `force` takes fields from other managers. Nothing but what `object` holds is sent: a uid or
    /// resource version in it is a precondition.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn apply(&self, kind: &Kind, object: &Object, force: bool) -> Result<Object, Error> {
        self.send_apply(Verb::Apply, kind, object, force).await
    }

    /// What [`Cluster::apply`] would give back, without doing it.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn dry_run(
        &self,
        kind: &Kind,
        object: &Object,
        force: bool,
    ) -> Result<Object, Error> {
        self.send_apply(Verb::DryRun, kind, object, force).await
    }

    async fn send_apply(
        &self,
        verb: Verb,
        kind: &Kind,
        object: &Object,
        force: bool,
    ) -> Result<Object, Error> {
        let target = object.reference();
        let action = action(verb, &target);
        let path = format!(
            "{}?fieldManager={MANAGER}&force={force}&fieldValidation=Strict{}",
            path_of(kind, &target),
            dry_run(verb)
        );
        let body = object.apply_body().into_bytes();
        let mut request = Request::write(verb, &action, http::Method::PATCH, path, body);
        request.headers.push((http::header::CONTENT_TYPE, APPLY));
        let answer = self.send(request).await?;
        read_object(&action, &answer.body)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// [`Error::Exists`] when it is there already.
    pub async fn create(&self, kind: &Kind, object: &Object) -> Result<Object, Error> {
        let target = object.reference();
        let path = format!(
            "{}?fieldManager={MANAGER}",
            kind.path(target.namespace.as_deref())
        );
        self.send_whole(Verb::Create, http::Method::POST, path, object)
            .await
    }

    /// Replaces an object; its resource version is the precondition.
    ///
    /// # Errors
    /// [`Error::Stale`] when it changed meanwhile.
    pub async fn update(&self, kind: &Kind, object: &Object) -> Result<Object, Error> {
        let path = format!(
            "{}?fieldManager={MANAGER}",
            path_of(kind, &object.reference())
        );
        self.send_whole(Verb::Update, http::Method::PUT, path, object)
            .await
    }

    async fn send_whole(
        &self,
        verb: Verb,
        method: http::Method,
        path: String,
        object: &Object,
    ) -> Result<Object, Error> {
        let action = action(verb, &object.reference());
        let mut request = Request::write(
            verb,
            &action,
            method,
            path,
            object.tree().to_string().into_bytes(),
        );
        request.headers.push((http::header::CONTENT_TYPE, JSON));
        let answer = self.send(request).await?;
        read_object(&action, &answer.body)
    }

    /// Changes a part of an object by a merge patch.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn merge_patch(&self, object: &ObjectRef, patch: &Value) -> Result<Object, Error> {
        let kind = self.kind_of(object).await?;
        self.merge_patch_as(&kind, object, patch).await
    }

    /// The same in the version of `kind`.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn merge_patch_as(
        &self,
        kind: &Kind,
        object: &ObjectRef,
        patch: &Value,
    ) -> Result<Object, Error> {
        self.send_merge(Verb::Patch, kind, object, patch).await
    }

    /// What [`Cluster::merge_patch_as`] would give back, without doing it.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn try_merge_patch(
        &self,
        kind: &Kind,
        object: &ObjectRef,
        patch: &Value,
    ) -> Result<Object, Error> {
        self.send_merge(Verb::DryRun, kind, object, patch).await
    }

    async fn send_merge(
        &self,
        verb: Verb,
        kind: &Kind,
        object: &ObjectRef,
        patch: &Value,
    ) -> Result<Object, Error> {
        let action = action(verb, object);
        let path = format!(
            "{}?fieldManager={MANAGER}{}",
            path_of(kind, object),
            dry_run(verb)
        );
        let body = patch.to_string().into_bytes();
        let mut request = Request::write(verb, &action, http::Method::PATCH, path, body);
        request.headers.push((http::header::CONTENT_TYPE, MERGE));
        let answer = self.send(request).await?;
        read_object(&action, &answer.body)
    }
}

/// The end of a query that makes a write a trial.
fn dry_run(verb: Verb) -> &'static str {
    if verb == Verb::DryRun {
        "&dryRun=All"
    } else {
        ""
    }
}

pub(super) fn path_of(kind: &Kind, object: &ObjectRef) -> String {
    format!(
        "{}/{}",
        kind.path(object.namespace.as_deref()),
        encode(&object.name)
    )
}
