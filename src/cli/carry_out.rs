//! Carrying a shown plan out: confirm, run until done or interrupted, say how it ended. Shared by
//! `deploy` and `delete`.

use super::deadline::Deadline;
use super::target::Target;
use super::{Context, Error, Exit, flags};
use crate::deploy::{self, Options, Prepared, Report};
use crate::diff::{Masker, Op};
use crate::event::{Actuation, Event, Reconcile, Sink};
use crate::inventory::{DeployResult, Origin};
use crate::ui::{self, LogFormat};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Says that there is nothing to do.
pub(super) fn nothing_to_do(prepared: &Prepared, context: &Context) -> Result<Exit, Error> {
    let objects = ui::count(prepared.plan.steps.len(), "object");
    finish(
        Exit::Done,
        "unchanged",
        format!("No changes to {}: {objects} as desired.", prepared.app.name),
        context,
    )
}

/// Asks before something is written. Without a terminal nobody can answer, and that is an error.
pub(super) fn confirm(question: &str, yes: bool, context: &Context) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !context.ui.can_ask() {
        return Err(Error::usage("nobody is here to confirm the changes")
            .hinted("add `--yes` to go ahead without asking"));
    }
    if context.ui.ask(question)? {
        Ok(())
    } else {
        Err(Error::failed("stopped: the changes were not confirmed"))
    }
}

/// Warns of what deletions take with them.
pub(super) fn warn_of_risks(prepared: &Prepared, context: &Context) {
    for risk in &prepared.risks {
        let text = format!("deleting {}: {}", risk.target, risk.why);
        context.ui.warning(&text);
    }
}

/// Stops before a deletion takes data or objects of others with it, unless its kind may be deleted,
/// or somebody is there who reads the warning and answers.
pub(super) fn check_risks(
    prepared: &Prepared,
    apply: &flags::Apply,
    context: &Context,
) -> Result<(), Error> {
    let allowed = |kind: &str| {
        let names = |name: &String| name == "all" || name.eq_ignore_ascii_case(kind);
        apply.allow_delete.iter().any(names)
    };
    let risks = prepared.risks.iter();
    let open: Vec<_> = risks.filter(|risk| !allowed(&risk.target.kind)).collect();
    if open.is_empty() || (!apply.yes && context.ui.can_ask()) {
        warn_of_risks(prepared, context);
        return Ok(());
    }
    let each = open
        .iter()
        .map(|risk| format!("{}: {}", risk.target, risk.why));
    let each = each.collect::<Vec<_>>().join("\n");
    let kinds: BTreeSet<&str> = open.iter().map(|risk| risk.target.kind.as_str()).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(",");
    let text = format!("deleting takes more with it than objects of this app:\n{each}");
    Err(Error::new(Exit::Unsafe, anyhow::Error::msg(text))
        .hinted(format!("if that is meant, add `--allow-delete {kinds}`")))
}

/// Runs the plan to its end, or to the first Ctrl-C or SIGTERM, or until the time is over.
pub(super) async fn run(
    target: &Target,
    prepared: &Prepared,
    apply: &flags::Apply,
    origin: Origin,
    masker: &Masker,
    context: &Context,
) -> Result<Exit, Error> {
    let options = Options {
        wait: apply.wait,
        wait_timeout: apply.wait_timeout,
        object_timeout: apply.wait_object_timeout,
        exit_early: apply.exit_early,
        logs: apply.logs,
        lock: !apply.no_lock,
        lock_wait: apply.lock_wait,
        origin,
        ..Options::new(context.now())
    };
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let signal = Arc::new(AtomicU8::new(0));
    let listener = tokio::spawn(listen(
        target.deadline,
        stop.clone(),
        abort.clone(),
        Arc::clone(&signal),
    ));
    let begun = tokio::time::Instant::now();
    let mut progress = context.progress();
    let ran = tokio::select! {
        ran = deploy::run(&target.cluster, prepared, &options, masker, &mut progress, &stop) => Some(ran),
        () = abort.cancelled() => None,
    };
    listener.abort();
    drop(progress);
    let Some(ran) = ran else {
        let message = "Stopped at once; run it again to continue.".to_owned();
        return finish(Exit::Interrupted, "interrupted", message, context);
    };
    let report = ran?;
    let requests = target.cluster.requests();
    context.ui.detail(&format!(
        "{} reads, {} writes",
        requests.reads(),
        requests.writes()
    ));
    let exit = exit(&report, signal.load(Ordering::Relaxed));
    if let Some(error) = report.stopped_by {
        return Err(error.into());
    }
    let took = ui::seconds(begun.elapsed().as_secs());
    finish(
        exit,
        &report.result.to_string(),
        sentence(&report, exit, &took),
        context,
    )
}

/// Waits for signals. The first one, or the end of the time, asks the run to stop: requests in flight
/// are finished, the rest is skipped, and what was done is recorded. A second Ctrl-C gives up on that
/// too.
async fn listen(
    deadline: Deadline,
    stop: CancellationToken,
    abort: CancellationToken,
    seen: Arc<AtomicU8>,
) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let exit = tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
        () = deadline.passed() => Exit::NotReady,
    };
    seen.store(exit as u8, Ordering::Relaxed);
    stop.cancel();
    interrupt.recv().await;
    abort.cancel();
}

fn exit(report: &Report, signal: u8) -> Exit {
    let interrupted = report.result == DeployResult::Interrupted;
    match (report.result, signal) {
        (DeployResult::Succeeded, _) => Exit::Done,
        _ if interrupted && signal == Exit::Terminated as u8 => Exit::Terminated,
        _ if interrupted && signal == Exit::NotReady as u8 => Exit::NotReady,
        _ if interrupted => Exit::Interrupted,
        _ if report.is_not_ready() => Exit::NotReady,
        _ => Exit::Failed,
    }
}

/// What was done, in one sentence.
fn sentence(report: &Report, exit: Exit, took: &str) -> String {
    let sent = |ops: &[Op]| {
        let done = |outcome: &&deploy::Outcome| {
            outcome.actuation == Actuation::Succeeded && ops.contains(&outcome.op)
        };
        report.outcomes.iter().filter(done).count()
    };
    let bad = |wanted: &[Actuation]| {
        report
            .outcomes
            .iter()
            .filter(|outcome| wanted.contains(&outcome.actuation))
            .count()
    };
    let late = report
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome.reconcile, Reconcile::Failed | Reconcile::Timeout))
        .count();
    let applied = sent(&[Op::Create, Op::Update, Op::Replace]);
    let deleted = sent(&[Op::Delete]);
    let mut parts = match applied + deleted {
        0 => vec!["changed no object".to_owned()],
        _ => vec![
            format!("applied {}", ui::count(applied, "object")),
            format!("deleted {deleted}"),
        ],
    };
    for (number, what) in [
        (bad(&[Actuation::Failed]), "failed"),
        (bad(&[Actuation::Skipped, Actuation::Pending]), "skipped"),
        (late, "not ready"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    let head = match exit {
        Exit::Done => "Done",
        Exit::Interrupted | Exit::Terminated => "Interrupted; run it again to continue",
        Exit::NotReady if report.result == DeployResult::Interrupted => {
            "Out of time; run it again to continue"
        }
        _ => "Failed",
    };
    format!("{head}: {}, in {took}.", parts.join(", "))
}

/// Tells the end of a dry run.
pub(super) fn dry_run(prepared: &Prepared, context: &Context) -> Result<Exit, Error> {
    warn_of_risks(prepared, context);
    if context.log_format != LogFormat::Json {
        return Ok(Exit::Done);
    }
    let message = "Nothing was changed: this is a dry run.".to_owned();
    finish(Exit::Done, "planned", message, context)
}

/// Tells whoever reads events also of the error that ended a run: their last line is always the end.
pub(super) fn ended(ended: Result<Exit, Error>, context: &Context) -> Result<Exit, Error> {
    let error = match ended {
        Err(error) if context.log_format == LogFormat::Json => error,
        ended => return ended,
    };
    let lines = error.lines().into_iter().map(|(head, text)| match head {
        "error" | "" => text,
        head => format!("{}: {text}", head.trim_start()),
    });
    let message = lines.collect::<Vec<_>>().join("\n");
    finish(error.exit, "failed", message, context)?;
    Err(error)
}

/// Tells the end of the run, and gives its exit code.
pub(super) fn finish(
    exit: Exit,
    result: &str,
    message: String,
    context: &Context,
) -> Result<Exit, Error> {
    context.progress().emit(Event::Finished {
        result: result.to_owned(),
        exit_code: exit as u8,
        message,
    });
    Ok(exit)
}
