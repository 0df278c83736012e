//! A namespace of the test cluster, and short ways to deploy into it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use windlass::cluster::{Cluster, Options};
use windlass::deploy::{self, App, Error, Prepared, Report, Request};
use windlass::diff::Masker;
use windlass::event::Event;
use windlass::inventory::DeployResult;
use windlass::object::{Manifest, Object, ObjectRef, Source};

/// A cluster and a namespace for one test.
pub(crate) struct Lab {
    /// The connection.
    pub(crate) cluster: Cluster,
    /// The namespace of the test; exists.
    pub(crate) namespace: String,
    /// Masks secrets.
    pub(crate) masker: Masker,
    /// Everything that was emitted by [`Lab::deploy`].
    pub(crate) events: Vec<Event>,
}

/// The kubeconfig of the test cluster. Without one the test fails and says what to start.
pub(crate) fn kubeconfig() -> PathBuf {
    let set = std::env::var("WINDLASS_TEST_KUBECONFIG")
        .ok()
        .filter(|path| !path.is_empty());
    PathBuf::from(set.expect(
        "these tests need an API server: run them with \
         `tests/testbed/testbed run -- cargo test --test cluster`, or start `make testbed` and \
         set WINDLASS_TEST_KUBECONFIG",
    ))
}

/// The path of a real helm, which a variable names. Without it the test fails and says what to do.
pub(crate) fn oracle(variable: &str) -> String {
    let hint = "names no real helm: run `make cluster`, or take the variables of a testbed with \
                `eval \"$(tests/testbed/testbed start)\"`";
    let path = std::env::var(variable).ok();
    path.ok_or_else(|| format!("{variable} {hint}")).unwrap()
}

/// Connects anew, as another process would.
pub(crate) async fn connect(namespace: &str) -> Cluster {
    let options = Options {
        kubeconfig: Some(kubeconfig()),
        namespace: Some(namespace.to_owned()),
        ..Options::default()
    };
    Cluster::connect(&options).await.unwrap()
}

/// Runs a test in a namespace of its own.
pub(crate) fn lab<F: Future<Output = ()>>(body: impl FnOnce(Lab) -> F) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let namespace = format!("t{}-{number}", std::process::id());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cluster = runtime.block_on(async {
        let cluster = connect(&namespace).await;
        apply(
            &cluster,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        )
        .await;
        cluster
    });
    let masker = Masker::new([7; 32], false);
    let lab = Lab {
        cluster: cluster.clone(),
        namespace: namespace.clone(),
        masker,
        events: Vec::new(),
    };
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(body(lab))));
    runtime.block_on(remove(
        &cluster,
        &reference("", "Namespace", None, &namespace),
    ));
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Applies an object as somebody who is not windlass's deploy would: without any label.
pub(crate) async fn apply(cluster: &Cluster, object: Value) -> Object {
    let object = Object::new(object).unwrap();
    let kind = cluster
        .kind(&object.gvk(), Duration::from_secs(10))
        .await
        .unwrap();
    cluster.apply(&kind, &object, true).await.unwrap()
}

/// A client without windlass in between.
pub(crate) async fn client() -> kube::Client {
    let choice = kube::config::KubeConfigOptions::default();
    let file = kube::config::Kubeconfig::read_from(kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &choice)
        .await
        .unwrap();
    kube::Client::try_from(config).unwrap()
}

/// Sends a request that windlass itself never sends.
async fn send(request: http::request::Builder, body: &Value) {
    let request = request.body(body.to_string().into_bytes()).unwrap();
    client().await.request_text(request).await.unwrap();
}

/// Scales as `kubectl scale` does: through the subresource, under kubectl's name.
pub(crate) async fn scale(namespace: &str, name: &str, replicas: u32) {
    scale_as("kubectl", namespace, name, replicas).await;
}

/// Scales through the subresource under a name.
pub(crate) async fn scale_as(manager: &str, namespace: &str, name: &str, replicas: u32) {
    let request = http::Request::patch(format!(
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale?fieldManager={manager}"
    ))
    .header("content-type", "application/merge-patch+json");
    send(request, &json!({"spec": {"replicas": replicas}})).await;
}

/// Changes an object of the core group as `kubectl edit` does: under a name of its own.
pub(crate) async fn edit(namespace: &str, plural: &str, name: &str, patch: &Value) {
    let request = http::Request::patch(format!(
        "/api/v1/namespaces/{namespace}/{plural}/{name}?fieldManager=kubectl-edit"
    ))
    .header("content-type", "application/merge-patch+json");
    send(request, patch).await;
}

/// Writes conditions into the status of an object, as its controller does.
pub(crate) async fn patch_status(
    kind: &windlass::cluster::Kind,
    target: &ObjectRef,
    conditions: &Value,
) {
    let path = format!(
        "{}/{}/status",
        kind.path(target.namespace.as_deref()),
        target.name
    );
    let request =
        http::Request::patch(path).header("content-type", "application/strategic-merge-patch+json");
    send(request, &json!({"status": {"conditions": conditions}})).await;
}

/// Changes as a controller does that knows no server-side apply.
pub(crate) async fn json_patch(path: String, patch: &Value) {
    let request = http::Request::patch(path).header("content-type", "application/json-patch+json");
    send(request, patch).await;
}

/// Creates as a client does that knows no server-side apply.
pub(crate) async fn post(path: String, object: &Value) {
    let request = http::Request::post(path).header("content-type", "application/json");
    send(request, object).await;
}

/// Deletes whatever is there by that name.
pub(crate) async fn remove(cluster: &Cluster, target: &ObjectRef) {
    if let Ok(Some(live)) = cluster.get(target).await {
        cluster.delete(target, live.uid(), None).await.unwrap();
    }
}

/// Names an object.
pub(crate) fn reference(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// What the audit log of the API server tells from some moment on. A cluster that somebody brought along
/// has none, and then it tells nothing.
pub(crate) struct Audit {
    log: Option<PathBuf>,
    from: usize,
}

impl Audit {
    pub(crate) fn begin() -> Self {
        let log = std::env::var("WINDLASS_TEST_AUDIT_LOG").ok();
        let log = log.filter(|path| !path.is_empty()).map(PathBuf::from);
        let text = log.as_ref().map(|log| std::fs::read(log).unwrap());
        Self {
            log,
            from: text.map_or(0, |text| text.len()),
        }
    }

    /// Whether nothing can be told.
    pub(crate) fn is_silent(&self) -> bool {
        self.log.is_none()
    }

    /// What windlass asked the server to write, or to try, in the namespace of the test and to
    /// objects that are named after it.
    pub(crate) async fn writes(self, lab: &Lab) -> Vec<String> {
        let Some(log) = &self.log else {
            return Vec::new();
        };
        let last = reference("", "ConfigMap", Some(&lab.namespace), "the-last-request");
        assert!(lab.cluster.get(&last).await.unwrap().is_none());
        for _ in 0..1000 {
            let text = std::fs::read(log).unwrap();
            let text = String::from_utf8_lossy(&text[self.from..]).into_owned();
            let lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let entries = lines.map(|line| serde_json::from_str(line).unwrap());
            let entries: Vec<Value> = entries
                .filter(|entry: &Value| of_test(entry, &lab.namespace))
                .collect();
            let uri = |entry: &Value| entry["requestURI"].as_str().unwrap().to_owned();
            if entries.iter().any(|entry| uri(entry).contains(&last.name)) {
                let is_read = |entry: &&Value| {
                    matches!(entry["verb"].as_str(), Some("get" | "list" | "watch"))
                };
                let writes = entries.iter().filter(|entry| !is_read(entry));
                return writes.map(uri).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the audit log does not tell of the last request");
    }
}

/// Whether an entry of the audit log is windlass's, and about the namespace of a test.
fn of_test(entry: &Value, namespace: &str) -> bool {
    let agent = entry["userAgent"].as_str().unwrap_or_default();
    let uri = entry["requestURI"].as_str().unwrap_or_default();
    // The name of another namespace may begin with this one's.
    let mut after = uri.match_indices(namespace).map(|(at, name)| {
        let rest = &uri[at + name.len()..];
        rest.chars().next()
    });
    agent.starts_with("windlass") && after.any(|next| !next.is_some_and(|c| c.is_ascii_digit()))
}

impl Lab {
    /// An app of this namespace.
    pub(crate) fn app(&self, name: &str) -> App {
        App {
            name: name.to_owned(),
            namespace: self.namespace.clone(),
            record_namespace: None,
        }
    }

    /// The same namespace as another process sees it.
    pub(crate) async fn another(&self) -> Self {
        Self {
            cluster: connect(&self.namespace).await,
            namespace: self.namespace.clone(),
            masker: Masker::new([7; 32], false),
            events: Vec::new(),
        }
    }

    /// Deploys objects as another process that is killed once it has written so often: nothing is
    /// cleaned up.
    pub(crate) async fn die(&self, objects: &[Value], options: &deploy::Options, writes: u64) {
        let mut dying = self.another().await;
        let cluster = dying.cluster.clone();
        let request = dying.request("web", objects);
        let prepared = dying.prepare(request).await.unwrap();
        let killed = async {
            while cluster.requests().writes() < writes {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! { _ = dying.run_with(&prepared, options) => {}, () = killed => {} }
    }

    /// A request to deploy objects.
    pub(crate) fn request(&self, app: &str, objects: &[Value]) -> Request {
        Request {
            now: jiff::Timestamp::now(),
            ..Request::new(self.app(app), manifests(objects))
        }
    }

    /// The plan for objects.
    pub(crate) async fn prepare(&mut self, request: Request) -> Result<Prepared, Error> {
        deploy::prepare(&self.cluster, request, &self.masker, &mut self.events).await
    }

    /// Carries a plan out.
    pub(crate) async fn run(&mut self, prepared: &Prepared) -> Result<Report, Error> {
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.wait_timeout = Duration::from_secs(60);
        options.origin.who = "tester".to_owned();
        self.run_with(prepared, &options).await
    }

    /// Carries out a plan that changes `data.key` of ConfigMap/a to 2, after somebody made it 3.
    pub(crate) async fn run_overtaken(&mut self) -> Report {
        self.deploy_well("web", &[config_map("a", "1")]).await;
        let request = self.request("web", &[config_map("a", "2")]);
        let prepared = self.prepare(request).await.unwrap();
        let mut other = config_map("a", "3");
        other["metadata"]["namespace"] = self.namespace.clone().into();
        apply(&self.cluster, other).await;
        self.run(&prepared).await.unwrap()
    }

    /// Carries a plan out with other settings.
    pub(crate) async fn run_with(
        &mut self,
        prepared: &Prepared,
        options: &deploy::Options,
    ) -> Result<Report, Error> {
        let cancel = CancellationToken::new();
        deploy::run(
            &self.cluster,
            prepared,
            options,
            &self.masker,
            &mut self.events,
            &cancel,
        )
        .await
    }

    /// Deploys objects to the end. Plans anew, as the program does, when a write of a run that died
    /// arrives late.
    pub(crate) async fn deploy(&mut self, app: &str, objects: &[Value]) -> Report {
        loop {
            let request = self.request(app, objects);
            let prepared = self.prepare(request).await.unwrap();
            match self.run(&prepared).await {
                Err(Error::Overtaken { .. }) => {}
                ended => return ended.unwrap(),
            }
        }
    }

    /// Deploys objects, which must succeed.
    pub(crate) async fn deploy_well(&mut self, app: &str, objects: &[Value]) -> Report {
        let report = self.deploy(app, objects).await;
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        report
    }

    /// Deletes an app, which must succeed.
    pub(crate) async fn delete_well(&mut self, app: &str) {
        let prepared = deploy::prepare_delete(
            &self.cluster,
            &self.app(app),
            true,
            &self.masker,
            &mut self.events,
        )
        .await
        .unwrap();
        let report = self.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
    }

    /// An object of this namespace, as it is now.
    pub(crate) async fn get(&self, group: &str, kind: &str, name: &str) -> Option<Object> {
        self.cluster
            .get(&reference(group, kind, Some(&self.namespace), name))
            .await
            .unwrap()
    }
}

/// Objects as a render gives them.
pub(crate) fn manifests(objects: &[Value]) -> Vec<Manifest> {
    let manifest = |(index, object): (usize, &Value)| Manifest {
        object: Object::new(object.clone()).unwrap(),
        source: Source {
            file: "templates/test.yaml".to_owned(),
            line: index + 1,
        },
    };
    objects.iter().enumerate().map(manifest).collect()
}

/// A ConfigMap with one key.
pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

/// A Deployment of one pod; `fate` is a label that the testbed understands, or empty.
pub(crate) fn deployment(name: &str, fate: &str) -> Value {
    let mut labels = json!({"app": name});
    if let Some((key, value)) = fate.split_once('=') {
        labels[key] = value.into();
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 80}]}]},
            },
        },
    })
}

/// A hook that runs before everything else and takes nine seconds.
pub(crate) fn slow_hook() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "first", "annotations":
            {"helm.sh/hook": "pre-install", "windlass.test/ready-after": "9s"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "example.com/m:1"}]}})
}
