//! Numbers as Go writes and reads them: `strconv.FormatFloat`, `ParseFloat`, `ParseInt`, `ParseUint`.
//!
//! Follows Go 1.26 internal/strconv (ftoa.go, atof.go, atoi.go). It knows neither `printf` flags nor
//! the JSON form of numbers, which build on it.

mod format;
mod parse;

pub(crate) use format::format_float;
pub(crate) use parse::{parse_float, parse_int, parse_uint};

/// Why a text is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError<T> {
    /// `strconv.ErrSyntax`: not a number at all.
    Syntax,
    /// `strconv.ErrRange`: a number outside the type; holds the nearest value, as Go returns it.
    Range(T),
}

impl<T> NumberError<T> {
    /// The text of Go's error value.
    #[must_use]
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range(_) => "value out of range",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from Go 1.26 `strconv.FormatFloat`.
    #[test]
    fn formats_floats_as_go_does() {
        for (value, verb, precision, bits, wanted) in [
            (0.0, b'g', -1, 64, "0"),
            (-0.0, b'g', -1, 64, "-0"),
            (100_000.0, b'g', -1, 64, "100000"),
            (1_000_000.0, b'g', -1, 64, "1e+06"),
            (100_000.5, b'g', -1, 64, "100000.5"),
            (0.0001, b'g', -1, 64, "0.0001"),
            (0.00001, b'g', -1, 64, "1e-05"),
            (5e-324, b'g', -1, 64, "5e-324"),
            (697_942_398_440_112.2, b'f', -1, 64, "697942398440112.2"),
            (1e23, b'f', -1, 64, "100000000000000000000000"),
            (0.1, b'g', -1, 32, "0.1"),
            (0.1, b'f', 20, 64, "0.10000000000000000555"),
            (2.5, b'f', 0, 64, "2"),
            (1.25, b'e', 1, 64, "1.2e+00"),
            (1_234_567.0, b'g', 3, 64, "1.23e+06"),
            (1_234_567.0, b'G', 3, 64, "1.23E+06"),
            (100.0, b'g', 5, 64, "100"),
            (1.5, b'b', -1, 64, "6755399441055744p-52"),
            (1.5, b'x', -1, 64, "0x1.8p+00"),
            (1.5, b'X', 3, 64, "0X1.800P+00"),
            (f64::INFINITY, b'g', -1, 64, "+Inf"),
            (f64::NAN, b'f', 2, 64, "NaN"),
        ] {
            assert_eq!(
                format_float(value, verb, precision, bits),
                wanted,
                "{value} {precision}"
            );
        }
    }

    #[test]
    fn precision_beyond_the_digits_of_a_float_is_zeros() {
        let text = format_float(0.5, b'f', 100_000, 64);
        assert_eq!(text.len(), 100_002);
        assert_eq!(format_float(0.5, b'g', 100_000, 64), "0.5");
    }

    /// Recorded from Go 1.26 `strconv.ParseFloat`.
    #[test]
    fn reads_floats_as_go_does() {
        for (text, wanted) in [
            ("1.", 1.0),
            (".5", 0.5),
            ("+1e2", 100.0),
            ("1_0e0_1", 100.0),
            ("0x1p-2", 0.25),
            ("0x_1_0p0", 16.0),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text, 64), Ok(wanted), "{text}");
        }
        for text in [
            "", ".", "1__0", "1e", "0x1", "0x.p1", "e5", "1e_5", "--1", "1 ", "+nan", "_1e5",
        ] {
            assert_eq!(parse_float(text, 64), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(
            parse_float("-1e400", 64),
            Err(NumberError::Range(f64::NEG_INFINITY))
        );
        assert_eq!(
            parse_float("3.4028236e38", 32),
            Err(NumberError::Range(f64::INFINITY))
        );
    }

    /// Recorded from Go 1.26 `strconv.ParseInt`.
    #[test]
    fn reads_integers_as_go_does() {
        for (text, wanted) in [
            ("017", Ok(15)),
            ("0o17", Ok(15)),
            ("0b1_0", Ok(2)),
            ("-0x10", Ok(-16)),
            ("1_000", Ok(1000)),
            ("9223372036854775808", Err(NumberError::Range(i64::MAX))),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("08", Err(NumberError::Syntax)),
            ("1__0", Err(NumberError::Syntax)),
            ("_1", Err(NumberError::Syntax)),
            ("0x", Err(NumberError::Syntax)),
            ("", Err(NumberError::Syntax)),
        ] {
            assert_eq!(parse_int(text, 0), wanted, "{text}");
        }
        assert_eq!(parse_int("1_0", 10), Err(NumberError::Syntax));
        assert_eq!(
            parse_uint("18446744073709551616", 10),
            Err(NumberError::Range(u64::MAX))
        );
    }
}
