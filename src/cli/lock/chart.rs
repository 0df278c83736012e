//! `lock`: every image of the rendered chart → its digest → the lock file.

use super::resolving::{places, resolve};
use super::target::{self, Target};
use super::{Args, Chart, Context, Error, Exit, project, stages};
use crate::image::lock::{self, Basis, Plan};
use crate::image::{self, Found, Locks, Override};
use crate::object::Lines;
use crate::ui::count;
use project::Request;
use std::collections::BTreeSet;

/// Runs `lock`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = args.chart.request(context)?;
    let target = Target::new(args.output.output.as_deref(), &request)?;
    let (mut locks, own) = target.load(&request)?;
    let found = find_images(&args.chart, &request, &mut locks, context)?;
    let map = request.image_map.as_ref();
    let map = map.map(|file| file.display().to_string());
    let basis = Basis {
        locks: &locks,
        file: &target.name(&locks),
        update: args.update,
        complete: target.stands_alone,
        map: map.as_deref(),
    };
    let plan = lock::plan(&found, &basis);
    refuse_built(&plan, &found)?;
    for image in &plan.fixed {
        context.ui.warning(&format!(
            "`{image}` stays as it is: nothing tells from which tag it was locked"
        ));
    }
    let resolved = resolve(&plan.resolve, &found, &locks, &args.resolve, context).await?;
    let mut entries = plan.kept;
    entries.extend(resolved.iter().cloned());
    let rules = if target.stands_alone {
        &locks.search_rules
    } else {
        &own.search_rules
    };
    let text = lock::text(&entries, rules, &target.text()?)?;
    if let Some(file) = &args.imgpkg_lock_output {
        lock::write(
            file,
            &lock::images_lock(&distinct(&found), &entries, &locks)?,
        )?;
    }
    let Some(file) = &target.file else {
        context.ui.data(text.as_bytes())?;
        return Ok(Exit::Done);
    };
    let written = lock::write(file, &text)?;
    report(&resolved, &locks, context);
    context.ui.note(&format!(
        "{}: {} of {} resolved.",
        target::told(file, written),
        resolved.len(),
        count(distinct(&found).len(), "image")
    ));
    Ok(Exit::Done)
}

/// Renders the chart, or reads the manifests in its place, and finds their images. The kbld Configs
/// among them are added to the locks.
pub(super) fn find_images(
    args: &Chart,
    request: &Request,
    locks: &mut Locks,
    context: &Context,
) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    let mut search = |text: &[u8], lines: Lines<'_>, locks: &Locks| -> Result<(), Error> {
        let search = image::find(text, lines, &locks.search_rules)?;
        for warning in &search.warnings {
            context.ui.warning(&warning.to_string());
        }
        found.extend(search.images);
        Ok(())
    };
    let manifests = &args.manifests.manifests;
    if !manifests.is_empty() {
        for file in stages::files_and_configs(manifests, locks)? {
            search(&file.text, file.lines(), locks)?;
        }
        return Ok(found);
    }
    let options = stages::options(&args.render);
    let release = stages::release(&request.app, request.offline_namespace(), false, 1);
    let mut rendered = stages::render(request, &args.values, &release, &options, context)?;
    stages::take_configs(&mut rendered, locks)?;
    for document in &rendered.documents {
        search(&document.text, stages::lines(document), locks)?;
    }
    Ok(found)
}

fn refuse_built(plan: &Plan, found: &[Found]) -> Result<(), Error> {
    if plan.built.is_empty() {
        return Ok(());
    }
    let mut lines = vec![match plan.built.len() {
        1 => "1 image is built from sources".to_owned(),
        images => format!("{images} images are built from sources"),
    }];
    for image in &plan.built {
        lines.push(format!(
            "  {image}{}",
            image::places_text(&places(image, found))
        ));
    }
    Err(Error::failed(lines.join("\n"))
        .hinted("put the lock that its build writes into the lock folder"))
}

/// Says which images got which digest.
pub(super) fn report(resolved: &[Override], locks: &Locks, context: &Context) {
    for entry in resolved {
        let image = entry.matcher.text();
        let before = locks.find(image).filter(|entry| entry.preresolved);
        let state = match before {
            Some(before) if before.new_image == entry.new_image => "same",
            Some(_) => "changed",
            None => "new",
        };
        let new_image = &entry.new_image;
        context
            .ui
            .note(&format!("  {image} → {new_image} ({state})"));
    }
}

fn distinct(found: &[Found]) -> BTreeSet<&str> {
    found.iter().map(|found| found.image.as_str()).collect()
}
