//! Renders that can be repeated: where time and randomness come from, and which objects depend on
//! them. Which functions do, the engine knows.

use super::{Context, Error};
use crate::ui::count;
use std::collections::{BTreeMap, BTreeSet};
use windlass_helm::chart::{Document, Rendered};
use windlass_helm::template::{Call, World};

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
fn another(world: &World) -> Result<World, Error> {
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

/// Renders in two worlds that have nothing in common, compares, and finds what makes the difference:
/// each call that cannot repeat is made to differ alone.
///
/// # Errors
/// The chart cannot be rendered, or documents differ. Each of these is named, with the calls that it comes
/// from; values are not shown, for most of these are secrets.
pub(super) fn check(
    mut world: World,
    mut render: impl FnMut(&mut World) -> Result<Rendered, Error>,
) -> Result<Rendered, Error> {
    let mut other = another(&world)?;
    let one = render(&mut world)?;
    let two = render(&mut other)?;
    let differ = differing(&one, &two);
    if differ.is_empty() {
        return Ok(one);
    }
    let mut causes: BTreeMap<Spot, Vec<String>> = BTreeMap::new();
    for (call, indices) in by_place_of_call(&one.calls) {
        let changed = render(&mut world.differing_at(indices, &other))?;
        for (spot, _) in differing(&one, &changed) {
            causes.entry(spot).or_default().push(call.clone());
        }
    }
    let verb = if differ.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    let of = count(one.selected().len(), "document");
    let mut told = vec![format!(
        "{} of {of} {verb} between two renders",
        differ.len()
    )];
    for (spot, document) in differ {
        told.push(lines(document, causes.get(&spot)));
    }
    Err(Error::failed(told.join("\n")).hinted(
        "set in values what the functions make up, or give `--seed N` to repeat one render",
    ))
}

/// A template and which of its documents.
type Spot = (String, usize);

/// The documents of one render that the other has not, or has otherwise.
fn differing<'r>(one: &'r Rendered, other: &'r Rendered) -> Vec<(Spot, &'r Document)> {
    let (left, right) = (by_spot(one), by_spot(other));
    let spots: BTreeSet<&Spot> = left.keys().chain(right.keys()).collect();
    let found = spots.into_iter().filter_map(|spot| {
        let (one, other) = (left.get(spot), right.get(spot));
        match (one, other) {
            (Some(one), Some(other)) if one.text == other.text => None,
            _ => Some((spot.clone(), *one.or(other)?)),
        }
    });
    found.collect()
}

/// Which calls were made where, by their index: `randAlphaNum at web/templates/secret.yaml:7`.
fn by_place_of_call(calls: &[Call]) -> BTreeMap<String, BTreeSet<usize>> {
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (index, Call { function, place }) in calls.iter().enumerate() {
        let call = format!("{function} at {place}");
        found.entry(call).or_default().insert(index);
    }
    found
}

/// The documents that are printed, by template and place in it: names may be random.
fn by_spot(rendered: &Rendered) -> BTreeMap<Spot, &Document> {
    let mut found = BTreeMap::new();
    let mut documents = rendered.selected();
    documents.sort_by_key(|document| document.first_line);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for document in documents {
        let index = counts.entry(&document.template).or_default();
        found.insert((document.template.clone(), *index), document);
        *index += 1;
    }
    found
}

/// The document, and each call that it comes from in a line of its own.
fn lines(document: &Document, causes: Option<&Vec<String>>) -> String {
    let (kind, name, template) = (&document.kind, &document.name, &document.template);
    let line = document.template_line(1);
    let together = ["several calls together".to_owned()];
    let causes = causes.map_or(&together[..], Vec::as_slice).iter();
    let causes: String = causes.map(|cause| format!("\n    {cause}")).collect();
    format!("  {kind}/{name} ({template}:{line}), from{causes}")
}
