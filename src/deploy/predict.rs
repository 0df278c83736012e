//! What applying an object would make of the live one, asked of the server.

use super::owner::is_left_by_clients;
use crate::cluster::{Cluster, Error, Kind};
use crate::object::{Object, takeover};
use std::borrow::Cow;

/// How often an object may change while it is looked at.
const MOST_LOOKS: usize = 5;

/// A trial: what it was made on and what it gave.
pub(super) struct Prediction<'a> {
    /// The live object, newer than the one that was known when somebody changed it meanwhile:
    /// otherwise their change would be taken for ours.
    pub(super) live: Cow<'a, Object>,
    /// What it would become.
    pub(super) after: Object,
}

/// Asks by a dry run. Of an object that is taken over, fields that its former deployer left and
/// that are not desired are gone, and fields it owned are no conflict.
pub(super) async fn predict<'a>(
    cluster: &Cluster,
    kind: &Kind,
    desired: &Object,
    live: &'a Object,
    force: bool,
    taken: bool,
) -> Result<Prediction<'a>, Error> {
    let mut live = Cow::Borrowed(live);
    let mut looks = 1;
    loop {
        let after = once(cluster, kind, desired, &live, force, taken).await?;
        let same = after.resource_version() == live.resource_version();
        if same || looks == MOST_LOOKS {
            return Ok(Prediction { live, after });
        }
        looks += 1;
        match cluster.get_as(kind, &live.reference()).await? {
            Some(found) => live = Cow::Owned(found),
            // Carrying the change out will notice.
            None => return Ok(Prediction { live, after }),
        }
    }
}

async fn once(
    cluster: &Cluster,
    kind: &Kind,
    desired: &Object,
    live: &Object,
    force: bool,
    taken: bool,
) -> Result<Object, Error> {
    let mut tried = cluster.dry_run(kind, desired, force).await;
    if taken && tried.as_ref().is_err_and(is_left_by_clients) {
        tried = cluster.dry_run(kind, desired, true).await;
    }
    let after = tried?;
    match takeover::without_leftovers(live, &after) {
        // The server may put defaults in place of what goes.
        Some(rest) if taken => {
            let patch = takeover::merge_patch(live, &rest);
            cluster
                .try_merge_patch(kind, &live.reference(), &patch)
                .await
        }
        _ => Ok(after),
    }
}
