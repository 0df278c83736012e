//! What an input may cost: the limits of the engine.
//!
//! Each is far above what charts have been seen to need, and ends in an error that names it; `README.md`
//! lists them. How much caches keep stands beside each cache: it changes no result.

/// How many steps all executions in a world may take: about 100 s.
pub(crate) const STEPS: u64 = 1_000_000_000;

/// How many steps one execution of a template may take: about 10 s.
pub(crate) const TEMPLATE_STEPS: u64 = 100_000_000;

/// How many bytes one execution may write or get from functions.
pub(crate) const TEMPLATE_BYTES: u64 = 1 << 30;

/// How deep values may nest, read or made: Go's limit for JSON and go-yaml's for YAML. A map can
/// contain itself; where Go would not end, a deeper value is taken for such a one.
pub(crate) const MAX_DEPTH: usize = 10_000;

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

/// The longest text that is parsed as a template, in bytes; its tree may take fifty times as much.
pub(crate) const MAX_SOURCE: usize = 16 << 20;

/// How deep blocks and parentheses nest in one template. Go's limit for parentheses.
pub(crate) const MAX_NESTING: usize = 10_000;

/// How deep `{{template}}` calls nest: Go's limit.
pub(crate) const MAX_TEMPLATE_DEPTH: usize = 100_000;

/// How deep evaluation nests in all, over templates, blocks and parentheses; bounds the memory
/// that recursion takes.
pub(crate) const MAX_EVALUATION_DEPTH: usize = 250_000;

/// How often `include` may enter the same template at once: Helm's limit.
pub(crate) const MAX_INCLUDES: usize = 1000;

/// How deep `tpl` calls nest. Helm has no limit and dies of a stack overflow.
pub(crate) const MAX_TPL_DEPTH: usize = 1000;

/// The largest width or precision of `printf`: Go's.
pub(crate) const MAX_WIDTH: i64 = 1_000_000;

/// How many calls a world keeps; charts have a few dozen. Later ones are not told.
pub(crate) const MAX_CALLS: usize = 100_000;

/// How many marks of the origin of lines are kept of one template file; what is written after them
/// belongs to the last.
pub(crate) const MAX_MARKS: usize = 1 << 20;

/// How many pieces a dotted key of TOML may have.
pub(crate) const MAX_KEY_PIECES: usize = 1000;

/// From how many decoded nodes on go-yaml lowers the share that may come from aliases.
pub(crate) const ALIAS_RANGE_LOW: usize = 400_000;

/// From how many on it allows the least.
pub(crate) const ALIAS_RANGE_HIGH: usize = 4_000_000;

/// The longest version that is read, in bytes: that of Masterminds/semver, as the two after it.
pub(crate) const MAX_VERSION: usize = 256;

/// The longest constraint of versions that is read, in bytes.
pub(crate) const MAX_CONSTRAINT: usize = 512;

/// The most groups of a constraint that `||` may separate.
pub(crate) const MAX_CONSTRAINT_GROUPS: usize = 32;

/// The highest parse tree of a regular expression: Go's.
pub(crate) const MAX_PATTERN_HEIGHT: usize = 1000;

/// How often the repeats of a regular expression may multiply to: Go's.
pub(crate) const MAX_REPEAT: u64 = 1000;

/// How much memory a compiled regular expression may take, in bytes.
pub(crate) const MAX_PATTERN: usize = 64 << 20;

/// The largest index that `--set` may give for a list: Helm's, against lists that only fill memory.
pub(crate) const MAX_INDEX: usize = 65_536;

/// How many items one argument of `--set` may add to lists in all.
pub(crate) const MAX_FILLED: usize = 1 << 20;

/// How many names a key of `--set` may join by dots: Helm's.
pub(crate) const MAX_NAMES: usize = 30;

/// How many indices may follow each other in a key of `--set`, as in `a[0][1]`.
pub(crate) const MAX_INDICES: usize = 200;

/// How deep `{…}` may nest in a glob of `.Files.Glob`.
pub(crate) const MAX_BRACES: usize = 100;

/// How many steps one match of a glob may take; a pattern that needs more does not match.
pub(crate) const MAX_GLOB_STEPS: usize = 1_000_000;

/// How many bytes a chart may have, unpacked: Helm's limit.
pub(crate) const MAX_CHART: u64 = 100 << 20;

/// How many bytes one file of a chart may have under Helm 3: Helm's limit.
pub(crate) const MAX_FILE_HELM3: u64 = 5 << 20;

/// How many files a chart may have.
pub(crate) const MAX_FILES: usize = 100_000;

/// How many bytes `.helmignore` may have: each line of it is held against every path.
pub(crate) const MAX_IGNORED: u64 = 1 << 20;

/// How deep directories of a chart may nest; also ends loops of links.
pub(crate) const MAX_DIRECTORIES: usize = 100;

/// How deep charts may nest in `charts/`.
pub(crate) const MAX_CHART_DEPTH: usize = 30;

/// How many bytes the archives in `charts/` may unpack to, all together.
pub(crate) const MAX_UNPACKED: u64 = 4 * MAX_CHART;

/// How many bytes one compressed byte may stand for, in archives above [`SMALL_ARCHIVE`].
pub(crate) const MAX_RATIO: u64 = 1000;

/// Up to how many bytes, unpacked, an archive may have any ratio.
pub(crate) const SMALL_ARCHIVE: u64 = 10 << 20;

/// How many charts may take part: aliases of charts that have aliases themselves grow without end.
pub(crate) const MAX_CHARTS: usize = 10_000;

/// How deep values may nest that a schema is held against.
pub(crate) const MAX_VALIDATED_DEPTH: usize = 1_000;

/// How many pairs of a schema and a value the validator may look at.
pub(crate) const MAX_SCHEMA_STEPS: u64 = 20_000_000;

/// How many different pairs there may be.
pub(crate) const MAX_SCHEMA_PAIRS: usize = 1_000_000;

/// How deep they may nest. The validator recurses; it has [`SCHEMA_STACK`] for that.
pub(crate) const MAX_SCHEMA_DEPTH: usize = 4_000;

/// The stack that the validator needs at most, in bytes: 16 KiB a level, measured without optimization
/// and rounded up. Only what it touches becomes memory.
pub(crate) const SCHEMA_STACK: usize = MAX_SCHEMA_DEPTH * (16 << 10);

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

/// Runs a step of a recursion over input on a stack that is deep enough for it. So the recursion is
/// bounded by its limit alone, however small the stack of the thread.
pub(crate) fn deep<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(128 << 10, 2 << 20, step)
}
