//! Renders that can be repeated: where time and randomness come from, and which objects depend on
//! them. Which functions do, the engine knows.

use super::{Context, Error};
use crate::ui::count;
use std::collections::{BTreeMap, BTreeSet};
use windlass_helm::chart::{Document, Rendered};
use windlass_helm::template::World;

/// How far apart the two renders of a comparison are: year, month, day, weekday, hour, minute and
/// second all differ.
const APART: jiff::SignedDuration = jiff::SignedDuration::from_secs(400 * 86_400 + 3_661);

/// Time and randomness, as typed.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Render")]
pub(super) struct Flags {
    /// Seed of random functions; the clock then stands at `--now`, else $SOURCE_DATE_EPOCH, else 1970
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(super) seed: Option<u64>,
    /// Time that templates see [default: $SOURCE_DATE_EPOCH, else the time now]
    #[arg(long, value_name = "RFC3339", hide_short_help = true)]
    pub(super) now: Option<jiff::Timestamp>,
}

/// Time and randomness of a render. `SOURCE_DATE_EPOCH` stands for both flags.
pub(super) fn world(flags: &Flags, context: &Context) -> Result<World, Error> {
    let epoch = context.environment.source_date_epoch;
    let now = match (flags.now, epoch, flags.seed) {
        (Some(now), _, _) => now,
        (None, Some(epoch), _) => jiff::Timestamp::from_second(epoch)
            .map_err(|error| Error::usage(format!("SOURCE_DATE_EPOCH: {error}")))?,
        (None, None, Some(_)) => jiff::Timestamp::UNIX_EPOCH,
        (None, None, None) => context.now(),
    };
    let mut seed = [0; 32];
    match (flags.seed, epoch) {
        (Some(number), _) => seed[..8].copy_from_slice(&number.to_le_bytes()),
        (None, Some(epoch)) => seed[..8].copy_from_slice(&epoch.to_le_bytes()),
        (None, None) => fill(&mut seed)?,
    }
    Ok(World::new(now, seed))
}

/// A world that has nothing in common with this one.
pub(super) fn another(world: &World) -> Result<World, Error> {
    let mut seed = [0; 32];
    fill(&mut seed)?;
    let now = world
        .now
        .checked_add(APART)
        .or_else(|_| world.now.checked_sub(APART))
        .map_err(|error| Error::usage(format!("SOURCE_DATE_EPOCH: {error}")))?;
    Ok(World::new(now, seed))
}

fn fill(seed: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(seed).map_err(|error| Error::failed(format!("read random bytes: {error}")))
}

/// Compares two renders of one chart.
///
/// # Errors
/// Documents differ. Each is named, with its template and the functions there that do not repeat;
/// values are not shown, for most of these are secrets.
pub(super) fn compare(one: &Rendered, other: &Rendered) -> Result<(), Error> {
    let (left, right) = (by_place(one), by_place(other));
    let places: BTreeSet<_> = left.keys().chain(right.keys()).copied().collect();
    let differ: Vec<_> = places
        .iter()
        .filter(|place| match (left.get(*place), right.get(*place)) {
            (Some(one), Some(other)) => one.text != other.text,
            _ => true,
        })
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    let verb = if differ.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    let of = count(places.len(), "document");
    let mut lines = vec![format!(
        "{} of {of} {verb} between two renders",
        differ.len()
    )];
    for place in differ {
        let Some(document) = left.get(place).or_else(|| right.get(place)) else {
            continue;
        };
        lines.push(line(document, [one, other]));
    }
    Err(Error::failed(lines.join("\n")).hinted(
        "set in values what the functions make up, or give `--seed N` to repeat one render",
    ))
}

/// The documents that are printed, by template and place in it: names may be random.
fn by_place(rendered: &Rendered) -> BTreeMap<(&str, usize), &Document> {
    let documents = rendered.selected();
    let mut lines: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for document in &documents {
        let of_template = lines.entry(&document.template).or_default();
        of_template.insert(document.first_line);
    }
    let ordinal = |document: &Document| {
        let of_template = lines.get(document.template.as_str());
        of_template.map_or(0, |lines| lines.range(..document.first_line).count())
    };
    documents
        .into_iter()
        .map(|document| ((document.template.as_str(), ordinal(document)), document))
        .collect()
}

/// `  Secret/web (chart/templates/secret.yaml:1): randAlphaNum, now`
fn line(document: &Document, renders: [&Rendered; 2]) -> String {
    let used = renders
        .iter()
        .filter_map(|render| render.unrepeatable.get(&document.template));
    let functions: BTreeSet<&str> = used.flatten().copied().collect();
    let functions = match functions.is_empty() {
        true => "from a function called in another template".to_owned(),
        false => functions.into_iter().collect::<Vec<_>>().join(", "),
    };
    format!(
        "  {}/{} ({}:{}): {functions}",
        document.kind, document.name, document.template, document.first_line
    )
}
