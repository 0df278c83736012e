//! `lock outdated`: tags that name another digest by now, and newer tags.

use super::form::{self, Line};
use super::resolving::{Registry, failed};
use super::{Context, Error, Exit, Paths, flags};
use crate::image::{ImageMatcher, Locks, Override, Question, lock, newer_tag};
use crate::registry::{self, Answer, Client};
use futures::StreamExt as _;
use serde_json::json;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock outdated
  windlass lock outdated --exit-code --format json     # in a scheduled CI job")]
pub(super) struct Args {
    #[command(flatten)]
    paths: Paths,
    /// Exit with 3 when a tag names another digest than the lock, or there is a newer tag
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    report: flags::Report,
}

/// What the registry says of an entry.
struct Now {
    answer: Answer,
    /// A tag of the same form with higher numbers.
    newer: Option<String>,
}

/// Runs `lock outdated`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let (locks, entries) = args.paths.load(context)?;
    let client = args.registry.client(&context.environment)?;
    let entries: Vec<_> = entries.iter().filter(|entry| entry.preresolved).collect();
    let answers: Vec<_> = futures::stream::iter(&entries)
        .map(|entry| async {
            match question(entry, &locks) {
                Some(question) => Some(ask(&client, &question).await),
                None => None,
            }
        })
        .buffered(client.concurrency())
        .collect()
        .await;
    let (mut lines, mut failures, mut moved, mut newer) = (Vec::new(), Vec::new(), false, false);
    for (entry, answer) in entries.iter().zip(answers) {
        match answer {
            Some(Err(error)) => failures.push((form::image(entry), error)),
            Some(Ok(now)) => {
                moved |= now.answer.reference != entry.new_image;
                newer |= now.newer.is_some();
                lines.push(line(entry, Some(&now)));
            }
            None => lines.push(line(entry, None)),
        }
    }
    let headings = ["IMAGE", "STATE", "LOCKED", "NOW", "NEWER TAG", "BY"];
    form::print(&args.report, ("entries", &headings), lines, context)?;
    if !failures.is_empty() {
        let of = crate::ui::count(entries.len(), "image");
        let head = format!("{} of {of} not asked for", failures.len());
        let place = |image: &str| place_of(image, &entries);
        return Err(failed(Exit::Failed, &head, &failures, place));
    }
    if moved {
        context
            .ui
            .note("`windlass lock --update` locks what the tags name now.");
    }
    if newer {
        context
            .ui
            .note("`windlass lock set IMAGE=REFERENCE` locks another tag.");
    }
    Ok(match (moved || newer) && args.exit_code {
        true => Exit::Pending,
        false => Exit::Done,
    })
}

/// Where an image is locked, for a message that lists images.
pub(super) fn place_of(image: &str, entries: &[&Override]) -> String {
    let entry = entries.iter().find(|entry| form::image(entry) == image);
    entry.map_or_else(String::new, |entry| {
        format!("\n    locked at {}", form::place(entry))
    })
}

fn question(entry: &Override, locks: &Locks) -> Option<Question> {
    match &entry.matcher {
        ImageMatcher::Image(image) => lock::question(image, entry, locks),
        // Which of its tags are used is not known here.
        ImageMatcher::Repository(_) => None,
    }
}

async fn ask(client: &Client, question: &Question) -> Result<Now, registry::Error> {
    let answer = client.answer(question).await?;
    let mut newer = None;
    if let (Some(reference), Some(tag)) = (question.reference(), &answer.tag)
        && tag.contains(|c: char| c.is_ascii_digit())
        && question.tag.is_none()
    {
        let tags = client.tags(&reference).await?;
        newer = newer_tag(tag, tags.iter().map(String::as_str)).map(str::to_owned);
    }
    Ok(Now { answer, newer })
}

fn line(entry: &Override, now: Option<&Now>) -> Line {
    let state = match now {
        None => "no tag known",
        Some(now) if now.answer.reference == entry.new_image => "current",
        Some(_) => "moved",
    };
    let image = form::image(entry);
    let reference = now.map(|now| now.answer.reference.as_str());
    let newer = now.and_then(|now| now.newer.as_deref());
    let row = vec![
        image.clone(),
        state.to_owned(),
        form::short(&entry.new_image).to_owned(),
        reference.map_or("-", form::short).to_owned(),
        newer.unwrap_or("-").to_owned(),
        form::place(entry),
    ];
    let json = json!({
        "image": image,
        "state": state,
        "locked": entry.new_image,
        "now": reference,
        "tag": now.and_then(|now| now.answer.tag.as_deref()),
        "newerTag": newer,
        "lock": form::place(entry),
    });
    (row, json)
}
