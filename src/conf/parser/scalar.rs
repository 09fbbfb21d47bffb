//! Numbers with units and times.

use crate::conf::error::Error;
use crate::conf::value::Value;

const THOUSAND: i64 = 1000;
const KIBI: i64 = 1024;

/// `None` when the unit is none, such as `kbb`. COMPAT: nats-server then drops the value in silence.
pub fn integer(text: String) -> Result<Option<Value>, Error> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    // The digits are right by the lexer, so the number can only be too large.
    let Ok(number) = digits.parse::<i64>() else {
        return Err(Error::IntegerRange { text });
    };
    // COMPAT: no check for overflow of the product.
    Ok(factor(unit).map(|factor| Value::Integer(number.wrapping_mul(factor))))
}

fn factor(unit: &str) -> Option<i64> {
    let unit = unit.to_ascii_lowercase();
    let mut letters = unit.chars();
    let Some(first) = letters.next() else {
        return Some(1);
    };
    let power = 1 + "kmgtpe".find(first)? as u32;
    match letters.as_str() {
        "" => Some(THOUSAND.pow(power)),
        "b" | "i" | "ib" => Some(KIBI.pow(power)),
        _ => None,
    }
}

pub fn float(text: String) -> Result<Value, Error> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        _ => Err(Error::FloatRange { text }),
    }
}

/// The lexer has checked the form `2006-01-02T15:04:05Z`; this checks the calendar.
pub fn time(text: String) -> Result<Value, Error> {
    let field = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<u32>().ok());
    let fields =
        [field(0, 4), field(5, 7), field(8, 10), field(11, 13), field(14, 16), field(17, 19)];
    match fields {
        [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)]
            if (1..=days_of(year, month)).contains(&day)
                && hour < 24
                && minute < 60
                && second < 60 =>
        {
            Ok(Value::Time(text))
        }
        _ => Err(Error::Time { text }),
    }
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}
