//! What applying an object would make of the live one, asked of the server.

use super::owner::is_left_by_clients;
use crate::cluster::{Cluster, Error, Kind};
use crate::object::{Object, takeover};

/// Asks by a dry run. Of an object that is taken over, fields that its former deployer left and
/// that are not desired are gone, and fields it owned are no conflict.
pub(super) async fn predict(
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
    let predicted = tried?;
    match takeover::without_leftovers(live, &predicted) {
        // The server may put defaults in place of what goes.
        Some(rest) if taken => {
            let patch = takeover::merge_patch(live, &rest);
            cluster
                .try_merge_patch(kind, &live.reference(), &patch)
                .await
        }
        _ => Ok(predicted),
    }
}
