//! Which Helm the engine behaves as. It holds the switch and what depends on nothing else.

/// A version of Helm. The two differ in few places; each place asks the profile.
///
/// What differs: nulls in the defaults of charts, how output is split into documents and how many blank lines are
/// left, the order of webhooks, `.Chart` as map or struct, the layout of errors. Give the same one to loading and to
/// rendering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Helm 4 (v4.3).
    #[default]
    Helm4,
    /// Helm 3 (v3.22).
    Helm3,
}

impl Profile {
    /// Whether this is [`Profile::Helm3`].
    #[must_use]
    pub fn is_helm3(self) -> bool {
        self == Self::Helm3
    }
}
