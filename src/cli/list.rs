//! `list`: the apps of a namespace or a cluster.

use super::deadline::Deadline;
use super::{Context, Error, Exit, flags, history, inspect};
use crate::cluster::{self, Cluster};
use crate::deploy::{self, Listed};
use crate::ui;
use jiff::Timestamp;
use serde_json::{Value, json};

/// List the apps of a namespace or a cluster
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass list                 # the context's namespace
  windlass list -A              # all namespaces")]
pub(super) struct Args {
    /// Namespace to look in
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "WINDLASS_NAMESPACE",
        hide_env = true
    )]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    report: flags::Report,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let options = cluster::Options {
        kubeconfig: args.cluster.kubeconfig.clone(),
        kubeconfigs: context.environment.kubeconfigs.clone(),
        context: args.cluster.context.clone(),
        namespace: args.namespace.clone(),
        cache_dir: context.environment.cache_dir.clone(),
    };
    let deadline = Deadline::of(&args.cluster);
    let cluster = deadline.bound(Cluster::connect(&options)).await?;
    let namespace = (!args.all_namespaces).then(|| cluster.namespace().to_owned());
    let (apps, broken) = deadline
        .bound(deploy::list(&cluster, namespace.as_deref()))
        .await?;
    for error in broken {
        context.ui.warning(&error.to_string());
    }
    let rows: Vec<Vec<String>> = apps.iter().map(|app| row(app, context.now())).collect();
    let headings = [
        "NAMESPACE",
        "APP",
        "REVISION",
        "RESULT",
        "OBJECTS",
        "AGE",
        "COMMIT",
    ];
    let document = || {
        let apps: Vec<Value> = apps.iter().map(document).collect();
        json!({ "schemaVersion": 1, "apps": apps })
    };
    args.report
        .print(|| ui::plain_table(&headings, &rows), document, context)?;
    Ok(Exit::Done)
}

fn document(app: &Listed) -> Value {
    let last = app.last.as_ref();
    json!({
        "app": app.app,
        "namespace": app.namespace,
        "recordNamespace": app.record_namespace,
        "namespaces": app.namespaces,
        "objects": app.objects,
        "revision": last.map(|deploy| deploy.revision),
        "result": last.map(|deploy| deploy.result),
        "started": last.map(|deploy| deploy.started),
        "gitCommit": last.map(|deploy| &deploy.origin.git_commit),
    })
}

fn row(app: &Listed, now: Timestamp) -> Vec<String> {
    let last = app.last.as_ref();
    let text = |text: Option<String>| {
        text.filter(|t| !t.is_empty())
            .unwrap_or_else(|| "-".to_owned())
    };
    vec![
        app.namespace.clone(),
        app.app.clone(),
        text(last.map(|deploy| deploy.revision.to_string())),
        text(last.map(|deploy| deploy.result.to_string())),
        app.objects.to_string(),
        inspect::age(last.map(|deploy| deploy.started), now),
        text(last.map(|deploy| history::short(&deploy.origin.git_commit))),
    ]
}
