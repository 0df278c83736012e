//! `adopt`: take over what Helm or kapp deployed, as it is.

use super::{Context, Error, Exit, carry_out, flags, origin, project, target};
use crate::deploy::{self, Adoptable, Deployer};
use crate::diff::{Change, FieldChange};
use crate::ui;
use serde_json::Value;

/// Take over a Helm release or a kapp app, whole and as it is
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass adopt my-app -n my-app            # the release or app of this name
  windlass adopt my-app -n my-app --yes --remove-record
  windlass diff my-app ./chart -n my-app     # then: what your chart would change")]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    /// Whose it is [default: whoever has it]
    #[arg(
        long,
        value_enum,
        value_name = "helm|kapp",
        hide_possible_values = true
    )]
    from: Option<From>,
    /// Also remove the record of Helm or kapp, so that they know the app no longer
    #[arg(long)]
    remove_record: bool,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    apply: flags::Apply,
    /// Stop after showing what would change
    #[arg(long, help_heading = "Apply")]
    dry_run: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum From {
    Helm,
    Kapp,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    let masker = target::masker(false, &request.mask)?;
    let deployer = args.from.map(|from| match from {
        From::Helm => Deployer::Helm,
        From::Kapp => Deployer::Kapp,
    });
    let mut progress = context.progress();
    let found = deploy::adoptable(&target.cluster, &target.app, deployer);
    let Some(found) = target.deadline.bound(found).await? else {
        let app = &target.app;
        let text = format!(
            "there is no Helm release or kapp app `{}` in namespace `{}`",
            app.name, app.namespace
        );
        return Err(Error::failed(text).hinted("name the namespace of its record with `-n`"));
    };
    let wanted = deploy::Request {
        take_from: vec![found.owner.clone()],
        prune: false,
        as_is: true,
        ..deploy::Request::new(
            target.app.clone(),
            [&found.manifests[..], &found.hooks].concat(),
        )
    };
    let prepared = deploy::prepare(&target.cluster, wanted, &masker, &mut progress);
    let prepared = target.deadline.bound(prepared).await?;
    progress.clear();
    drop(progress);
    show(&found, &prepared.changes().collect::<Vec<_>>(), context)?;
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let question = format!("Adopt {} as app {}?", found.name, target.app.name);
    carry_out::confirm(&question, args.apply.yes, context)?;
    let origin = origin::of_run(&request, context);
    let exit = carry_out::run(&target, &prepared, &args.apply, origin, &masker, context).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    forget(&found, &target, args, context).await?;
    Ok(exit)
}

/// Removes the record of the other deployer when that is asked for.
async fn forget(
    found: &Adoptable,
    target: &target::Target,
    args: &Args,
    context: &Context,
) -> Result<(), Error> {
    let count = ui::count(found.records.len(), "object");
    let question = format!("Remove the record of {} ({count})?", found.name);
    let asked = !args.remove_record && !args.apply.yes && context.ui.can_ask();
    if args.remove_record || (asked && context.ui.ask(&question)?) {
        deploy::forget(&target.cluster, found).await?;
        context
            .ui
            .note(&format!("Removed the record of {}.", found.name));
    } else {
        context.ui.note(&format!(
            "The record of {} stays, and whoever deletes it there deletes these objects; \
             `windlass adopt {} --remove-record` removes it.",
            found.name, target.app.name
        ));
    }
    Ok(())
}

/// Shows what changes beside marks of ownership: nothing, when the objects are as they were
/// deployed.
fn show(found: &Adoptable, changes: &[&Change], context: &Context) -> Result<(), Error> {
    let mut lines = vec![format!(
        "{}: {}",
        found.name,
        ui::count(found.manifests.len(), "object")
    )];
    let mut differ = 0;
    for change in changes {
        let fields: Vec<&str> = change
            .fields
            .iter()
            .filter(|field| !is_mark(field))
            .map(|field| field.path.as_str())
            .collect();
        let created = change.live.is_none();
        if created || !fields.is_empty() {
            differ += 1;
            let what = if created {
                "create".to_owned()
            } else {
                fields.join(", ")
            };
            lines.push(format!("  ~ {}  {what}", change.target));
        }
    }
    lines.push(match differ {
        0 => "Nothing changes but marks of ownership.".to_owned(),
        _ => format!(
            "{} differ from what was deployed and are brought back to it.",
            ui::count(differ, "object")
        ),
    });
    Ok(context
        .ui
        .data(format!("{}\n", lines.join("\n")).as_bytes())?)
}

/// Whether a field only says whose the object is.
fn is_mark(field: &FieldChange) -> bool {
    const MARKS: [&str; 4] = [
        "applyset.kubernetes.io/",
        "kapp.k14s.io/",
        "meta.helm.sh/",
        "app.kubernetes.io/managed-by",
    ];
    let is_mark = |key: &str| MARKS.iter().any(|mark| key.starts_with(mark));
    let path = field.path.as_str();
    let rest = path
        .strip_prefix("metadata.labels")
        .or_else(|| path.strip_prefix("metadata.annotations"));
    match rest {
        // The map comes or goes as a whole.
        Some("") => {
            let maps = field
                .before
                .iter()
                .chain(&field.after)
                .map(Value::as_object);
            maps.flatten()
                .flat_map(|map| map.keys())
                .all(|key| is_mark(key))
        }
        Some(rest) => is_mark(rest.trim_start_matches(['.', '['])),
        None => false,
    }
}
