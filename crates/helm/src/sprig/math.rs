//! Numbers: conversions, integer and decimal arithmetic, rounding.
//!
//! Follows sprig 3.3.0 `numeric.go`, cast 1.7.0 `caste.go` and decimal 1.4.0 `decimal.go`. Whatever
//! is no number counts as 0.

use super::args::{Answer, any, bytes, function, int, rest, text, variadic};
use super::lists::range;
use super::random;
use super::text::printed;
use crate::template::{Fault, Function, Param};
use crate::value::Value;
use crate::value::number::{NumberError, parse_float, parse_int};
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, Zero};

const A: Param = Param::Any;
const I: Param = Param::Int;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("int", &[A], |_, a| Ok(Value::int(to_int(any(a, 0))))),
    function("int64", &[A], |_, a| Ok(Value::int64(to_int(any(a, 0))))),
    function("float64", &[A], |_, a| Ok(to_float(any(a, 0)).into())),
    function("atoi", &[Param::Str], |_, a| {
        Ok(Value::int(atoi(text(a, 0))))
    }),
    function("toDecimal", &[A], |_, a| {
        let octal = parse_int(&printed(any(a, 0))?, 8);
        Ok(Value::int64(octal.unwrap_or(0)))
    }),
    function("add1", &[A], |_, a| {
        Ok(Value::int64(to_int(any(a, 0)).wrapping_add(1)))
    }),
    variadic("add", &[A], |_, a| {
        fold_ints(0, rest(a, 0), i64::wrapping_add)
    }),
    function("sub", &[A, A], |_, a| {
        fold_ints(to_int(any(a, 0)), rest(a, 1), i64::wrapping_sub)
    }),
    variadic("mul", &[A, A], |_, a| {
        fold_ints(to_int(any(a, 0)), rest(a, 1), i64::wrapping_mul)
    }),
    function("div", &[A, A], |_, a| divide(a, i64::wrapping_div)),
    function("mod", &[A, A], |_, a| divide(a, i64::wrapping_rem)),
    variadic("max", &[A, A], |_, a| {
        fold_ints(to_int(any(a, 0)), rest(a, 1), i64::max)
    }),
    variadic("biggest", &[A, A], |_, a| {
        fold_ints(to_int(any(a, 0)), rest(a, 1), i64::max)
    }),
    variadic("min", &[A, A], |_, a| {
        fold_ints(to_int(any(a, 0)), rest(a, 1), i64::min)
    }),
    variadic("maxf", &[A, A], |_, a| fold_floats(a, larger)),
    variadic("minf", &[A, A], |_, a| {
        fold_floats(a, |a, b| -larger(-a, -b))
    }),
    function("add1f", &[A], |_, a| {
        decimals(any(a, 0), &[Value::int(1)], |a, b| Ok(a + b))
    }),
    variadic("addf", &[A], |_, a| {
        decimals(&Value::Float(0.0), rest(a, 0), |a, b| Ok(a + b))
    }),
    variadic("subf", &[A, A], |_, a| {
        decimals(any(a, 0), rest(a, 1), |a, b| Ok(a - b))
    }),
    variadic("mulf", &[A, A], |_, a| {
        decimals(any(a, 0), rest(a, 1), |a, b| Ok(a * b))
    }),
    variadic("divf", &[A, A], |_, a| {
        decimals(any(a, 0), rest(a, 1), |a, b| quotient(&a, &b))
    }),
    function("floor", &[A], |_, a| Ok(to_float(any(a, 0)).floor().into())),
    function("ceil", &[A], |_, a| Ok(to_float(any(a, 0)).ceil().into())),
    variadic("round", &[A, I, Param::Float64], |_, a| Ok(round(a).into())),
    variadic("seq", &[I], |_, a| seq(a)),
    function("randInt", &[I, I], |run, a| {
        let rng = &mut random::source(run, "randInt");
        let (low, high) = (int(a, 0), int(a, 1));
        let span = high.wrapping_sub(low);
        match u64::try_from(span) {
            Ok(span) if span > 0 => {
                let offset = i64::try_from(random::below(rng, span)).unwrap_or(0);
                Ok(Value::int(low.wrapping_add(offset)))
            }
            _ => Err("invalid argument to Intn".into()),
        }
    }),
];

/// `cast.ToInt64`.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number, _) => *number,
        Value::Uint(number, _) => number.cast_signed(),
        Value::Float(number) => float_to_int(*number),
        Value::Str(text) => parse_int(without_zero_fraction(text), 0).unwrap_or(0),
        Value::Bool(flag) => i64::from(*flag),
        Value::Object(object) => match (&*object.type_name(), object.underlying()) {
            ("time.Month" | "time.Weekday", Some(Value::Int(number, _))) => number,
            _ => 0,
        },
        _ => 0,
    }
}

/// Go's conversion on amd64: what does not fit becomes the smallest number.
fn float_to_int(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// cast's `trimZeroDecimal`: `1.00` without its fraction.
fn without_zero_fraction(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take_while(|byte| **byte == b'0').count();
    let before = &text[..text.len() - digits];
    match before {
        [whole @ .., b'.'] if digits > 0 => whole,
        _ => text,
    }
}

/// `cast.ToFloat64`.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Uint(number, _) => *number as f64,
        Value::Str(text) => parse_float(text, 64).unwrap_or(0.0),
        Value::Int(..) | Value::Bool(_) | Value::Object(_) => to_int(value) as f64,
        _ => 0.0,
    }
}

fn atoi(text: &[u8]) -> i64 {
    match parse_int(text, 10) {
        Ok(number) | Err(NumberError::Range(number)) => number,
        Err(NumberError::Syntax) => 0,
    }
}

/// `add`, `mul`, `max` and their like: the operation from left to right, after `cast.ToInt64`; it wraps.
fn fold_ints(first: i64, others: &[Value], operation: fn(i64, i64) -> i64) -> Answer {
    let result = others
        .iter()
        .fold(first, |result, other| operation(result, to_int(other)));
    Ok(Value::int64(result))
}

/// `div` and `mod`.
///
/// # Errors
/// A division by zero, in the words of Go's panic.
fn divide(args: &[Value], operation: fn(i64, i64) -> i64) -> Answer {
    let divisor = to_int(any(args, 1));
    if divisor == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::int64(operation(to_int(any(args, 0)), divisor)))
}

/// `maxf` and `minf`: the operation from left to right, after `cast.ToFloat64`.
fn fold_floats(args: &[Value], operation: fn(f64, f64) -> f64) -> Answer {
    let first = to_float(any(args, 0));
    let others = rest(args, 1).iter().map(to_float);
    Ok(others.fold(first, operation).into())
}

/// `math.Max`: not a number unless the other is +Inf.
fn larger(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else {
        a.max(b)
    }
}

/// Folds numbers as exact decimals and gives the nearest float.
fn decimals(
    first: &Value,
    others: &[Value],
    operation: fn(BigDecimal, BigDecimal) -> Result<BigDecimal, Fault>,
) -> Answer {
    let mut result = decimal(to_float(first))?;
    for other in others {
        result = operation(result, decimal(to_float(other))?)?;
    }
    let (digits, scale) = result.into_bigint_and_exponent();
    let text = format!("{digits}e{}", -scale);
    let nearest = match parse_float(&text, 64) {
        Ok(number) | Err(NumberError::Range(number)) => number,
        Err(NumberError::Syntax) => 0.0,
    };
    Ok(nearest.into())
}

/// `decimal.NewFromFloat`: the shortest digits that read back as this float.
fn decimal(number: f64) -> Result<BigDecimal, Fault> {
    if !number.is_finite() {
        let text = crate::value::number::format_float(number, b'g', -1, 64);
        return Err(format!("Cannot create a Decimal from {text}").into());
    }
    format!("{number:e}")
        .parse()
        .map_err(|_| "Cannot create a Decimal".into())
}

/// `Decimal.Div`: 16 digits after the point, halves away from zero.
fn quotient(a: &BigDecimal, b: &BigDecimal) -> Result<BigDecimal, Fault> {
    const PRECISION: i64 = 16;
    if b.is_zero() {
        return Err("decimal division by 0".into());
    }
    let (dividend, dividend_scale) = a.as_bigint_and_exponent();
    let (divisor, divisor_scale) = b.as_bigint_and_exponent();
    let shift = PRECISION + divisor_scale - dividend_scale;
    let power = BigInt::from(10).pow(u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX));
    let (dividend, divisor) = if shift >= 0 {
        (dividend * power, divisor)
    } else {
        (dividend, divisor * power)
    };
    let mut digits = &dividend / &divisor;
    let remainder = &dividend % &divisor;
    if remainder.magnitude() * 2_u8 >= *divisor.magnitude() {
        let negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
        digits += if negative { -1 } else { 1 };
    }
    Ok(BigDecimal::new(digits, PRECISION))
}

/// Sprig's `round`, which rounds every negative number down.
fn round(args: &[Value]) -> f64 {
    let number = to_float(any(args, 0));
    let round_on = match args.get(2) {
        Some(Value::Float(on)) => *on,
        _ => 0.5,
    };
    let power = power_of_ten(int(args, 1));
    let digits = power * number;
    let rounded = if digits.fract() >= round_on {
        digits.ceil()
    } else {
        digits.floor()
    };
    rounded / power
}

/// `math.Pow(10, exponent)` with the same rounding errors as Go's.
fn power_of_ten(exponent: i64) -> f64 {
    match exponent {
        0 => return 1.0,
        1 => return 10.0,
        400.. => return f64::INFINITY,
        ..-400 => return 0.0,
        _ => {}
    }
    // 10 = 0.625 · 2^4
    let (mut base, mut base_exponent) = (0.625_f64, 4_i32);
    let (mut fraction, mut binary) = (1.0_f64, 0_i32);
    let mut left = exponent.unsigned_abs();
    while left != 0 {
        if left & 1 == 1 {
            fraction *= base;
            binary += base_exponent;
        }
        base *= base;
        base_exponent <<= 1;
        if base < 0.5 {
            base += base;
            base_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        fraction = 1.0 / fraction;
        binary = -binary;
    }
    // Two steps: 2^binary alone may be out of range.
    let half = binary / 2;
    fraction * 2_f64.powi(half) * 2_f64.powi(binary - half)
}

/// `seq`, as the program of that name: last, first and last, or first, step and last, joined by blanks. Other
/// counts of arguments give an empty text.
fn seq(args: &[Value]) -> Answer {
    let at = |index| int(args, index);
    let (start, step, end) = match args.len() {
        1 => (1, None, at(0)),
        2 => (at(0), None, at(1)),
        3 => (at(0), Some(at(1)), at(2)),
        _ => return bytes(""),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return bytes("");
    }
    let numbers = range(
        start,
        end.wrapping_add(direction),
        step.unwrap_or(direction),
    )?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    bytes(texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use super::{float_to_int, power_of_ten, to_float, to_int};
    use crate::value::Value;

    #[test]
    fn reads_integers_from_anything() {
        for (from, want) in [
            ("0x10".into(), 16),
            ("010".into(), 8),
            ("08".into(), 0),
            ("1.00".into(), 1),
            ("1.5".into(), 0),
            ("".into(), 0),
            (Value::Nil, 0),
            (true.into(), 1),
            ((-3.7).into(), -3),
            (1e300.into(), i64::MIN),
        ] {
            assert_eq!(to_int(&from), want, "{from:?}");
        }
        assert_eq!(float_to_int(f64::NAN), i64::MIN);
        assert_eq!(to_float(&"inf".into()), f64::INFINITY);
        assert_eq!(to_float(&"0x10".into()), 0.0);
        assert_eq!(
            call("atoi", &["99999999999999999999".into()]),
            i64::MAX.to_string()
        );
    }

    #[test]
    fn computes_with_wrapping_integers() {
        assert_eq!(call("add", &[1.9.into(), "2".into(), true.into()]), "4");
        assert_eq!(call("mul", &[2.into_value(), 3.into_value()]), "6");
        assert_eq!(call("mod", &[(-7).into_value(), 3.into_value()]), "-1");
        assert_eq!(
            call("div", &[i64::MIN.into_value(), (-1).into_value()]),
            i64::MIN.to_string()
        );
        assert_eq!(
            fails("div", &[1.into_value(), Value::Nil]),
            "runtime error: integer divide by zero"
        );
    }

    #[test]
    fn computes_with_exact_decimals() {
        assert_eq!(call("addf", &[0.1.into(), 0.2.into()]), "0.3");
        assert_eq!(call("subf", &[1.1.into(), 1.0.into()]), "0.1");
        assert_eq!(
            call("divf", &[2.0.into(), 3.0.into()]),
            "0.6666666666666667"
        );
        assert_eq!(call("divf", &[(-1).into_value(), 1e17.into()]), "0");
        assert_eq!(call("mulf", &[1e200.into(), 1e200.into()]), "+Inf");
        assert_eq!(
            fails("divf", &[1.0.into(), 0.0.into()]),
            "decimal division by 0"
        );
        assert_eq!(
            fails("addf", &["nan".into()]),
            "Cannot create a Decimal from NaN"
        );
    }

    #[test]
    fn rounds_negative_numbers_down() {
        for (number, places, want) in [
            (3.7, 0, "4"),
            (-1.2, 0, "-2"),
            (123.555_555, 3, "123.556"),
            (1234.0, -2, "1200"),
        ] {
            assert_eq!(call("round", &[number.into(), Value::int(places)]), want);
        }
        assert_eq!(power_of_ten(22), 1e22);
        assert_eq!(power_of_ten(-3), 1e-3);
    }

    #[test]
    fn counts_sequences() {
        for (args, want) in [
            (vec![0], "1 0"),
            (vec![5], "1 2 3 4 5"),
            (vec![0, 2, 5], "0 2 4"),
            (vec![3, 1], "3 2 1"),
            (vec![3, 1, 1], ""),
            (vec![], ""),
        ] {
            let args: Vec<Value> = args.into_iter().map(Value::int).collect();
            assert_eq!(call("seq", &args), want);
        }
    }

    #[test]
    fn draws_numbers_within_bounds() {
        for _ in 0..20 {
            let drawn = to_int(&value("randInt", &[Value::int(3), Value::int(5)]));
            assert!((3..5).contains(&drawn));
        }
        assert_eq!(
            fails("randInt", &[Value::int(5), Value::int(5)]),
            "invalid argument to Intn"
        );
    }

    trait IntoValue {
        fn into_value(self) -> Value;
    }

    impl IntoValue for i64 {
        fn into_value(self) -> Value {
            Value::int(self)
        }
    }
}
