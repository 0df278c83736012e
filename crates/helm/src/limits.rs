//! What an input may cost: the limits that more than one part of the engine keeps.
//!
//! Limits of one part alone stand beside it. `README.md` lists all of them. Each is far above what charts
//! have been seen to need, and ends in an error that names it.

/// The largest text that one call or encoder may make, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 20;

/// The longest list that one call may make, and how many values one text of YAML, JSON or TOML or one
/// template may hold.
pub(crate) const MAX_VALUES: usize = 1 << 22;

/// How many values one call may look at: shared parts count each time they are met, and a value that
/// holds itself twice would never end.
pub(crate) const MAX_VISITS: usize = 1 << 26;

/// How many bytes that a call reads, or that a template has written, count as one step.
pub(crate) const BYTES_PER_STEP: usize = 16;

/// How many bytes of YAML, JSON or TOML that a call parses count as one step, besides their reading.
pub(crate) const PARSED_BYTES_PER_STEP: usize = 2;

/// What calls count for that take long whatever they are given, in steps. A step is about 100 ns, so
/// these are the times that they take, in a release build.
pub(crate) mod cost {
    /// Finding a key of ECDSA or Ed25519, or signing with one of them.
    pub(crate) const SMALL_KEY: u64 = 2_000;

    /// Finding an RSA key of 2048 bits and signing with one of 4096: 40 ms.
    pub(crate) const CERTIFICATE: u64 = 400_000;

    /// Finding an RSA key of 4096 bits: 400 ms.
    pub(crate) const RSA_KEY: u64 = 4_000_000;

    /// Finding a DSA key of 2048 bits with parameters of its own: 500 ms.
    pub(crate) const DSA_KEY: u64 = 5_000_000;

    /// `bcrypt` and `htpasswd`, with a cost of 10: 60 ms.
    pub(crate) const BCRYPT: u64 = 600_000;

    /// `derivePassword`, by scrypt over 32 MiB: 200 ms.
    pub(crate) const SCRYPT: u64 = 2_000_000;

    /// An encoder that failed, whose error is hidden: it may have written [`super::MAX_TEXT`] before.
    pub(crate) const FAILED_ENCODING: u64 = 1_000_000;
}

/// The text of an encoder's error at [`MAX_TEXT`]. `toYaml` and its kin hide errors that Go has; this
/// one ends the render.
pub(crate) const TEXT_TOO_LARGE: &str = "text of the value is larger than 67108864 bytes";

/// The text of a reader's error at [`MAX_VALUES`].
pub(crate) const TOO_MANY_VALUES: &str = "text holds more than 4194304 values";

/// Whether an error is one of the limits here, whatever is written around it.
pub(crate) fn is_limit(error: &str) -> bool {
    error.contains(TEXT_TOO_LARGE) || error.contains(TOO_MANY_VALUES)
}

/// Checks the length of a text that is being written.
pub(crate) fn check_text(length: usize) -> Result<(), String> {
    if length > MAX_TEXT {
        return Err(TEXT_TOO_LARGE.to_owned());
    }
    Ok(())
}

/// Counts the values that one call looks at.
pub(crate) struct Visits {
    left: usize,
}

impl Visits {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { left: MAX_VISITS }
    }

    /// With only so many left, for tests.
    #[cfg(test)]
    pub(crate) fn with_left(left: usize) -> Self {
        Self { left }
    }

    /// One more.
    pub(crate) fn visit(&mut self) -> Result<(), String> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err(format!("values have more than {MAX_VISITS} parts")),
        }
        Ok(())
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        (MAX_VISITS - self.left) as u64
    }
}
