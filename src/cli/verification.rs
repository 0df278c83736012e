//! Verifying archives by their provenance: the flags, and the keys that are believed.

use super::{Context, Error};
use crate::deps::{Keyring, Verifier, Verify};
use std::path::PathBuf;

/// Whether and how archives are verified.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Verification")]
pub(super) struct Verification {
    /// Verify archives by their provenance (`.prov`)
    #[arg(long, value_name = "WHEN", default_value = "never")]
    verify: When,
    /// Public keys whose signatures are believed [default: pubring.gpg or pubring.kbx of GnuPG]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    keyring: Option<PathBuf>,
}

/// When archives are verified.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum When {
    /// Never
    Never,
    /// Where there is a provenance; what has none is told
    Ifpresent,
    /// Always: what has no provenance is refused
    Always,
}

impl Verification {
    /// The keys, when something is to be verified.
    ///
    /// # Errors
    /// A file of keys that cannot be used.
    pub(super) fn verifier(&self, context: &Context) -> Result<Option<Verifier>, Error> {
        let verify = match self.verify {
            When::Never => return Ok(None),
            When::Ifpresent => Verify::IfPresent,
            When::Always => Verify::Always,
        };
        // Helm takes the first that is there.
        let own = context.environment.gnupg.as_ref().map(|folder| {
            let files = ["pubring.gpg", "pubring.kbx"].map(|name| folder.join(name));
            let found = files.iter().find(|path| path.exists());
            found.unwrap_or(&files[0]).clone()
        });
        let path = self.keyring.clone().or(own);
        let path = path.ok_or_else(|| Error::usage("`--verify` needs `--keyring FILE`"))?;
        Ok(Some(Verifier {
            verify,
            keyring: Keyring::load(&path)?,
            now: context.now(),
        }))
    }
}
