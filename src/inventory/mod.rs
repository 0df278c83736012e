//! Which objects belong to an app, and what its deploys left behind: the ApplySet parent and the
//! record in it. Pure: reading and writing them is `deploy`'s.

mod label;
mod parent;
mod record;

pub use label::{GroupKind, ID, PART_OF, TOOLING, set_id};
pub use parent::{Error, PREFIX, Parent};
pub use record::{
    Changed, Deploy, Dropped, ImageSource, LockFile, Member, Members, Origin, Ready, Record,
    Result as DeployResult,
};
