//! The order of keys: numbers in them by value, letters after other characters.
//!
//! Follows sorter.go of go.yaml.in/yaml v2 and v3, which differ when a letter meets a non-letter
//! after digits.

use crate::value::{Str, Value};
use std::cmp::Ordering;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Whose order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of yaml.v2.
    V2,
    /// That of yaml.v3.
    V3,
}

impl Order {
    /// Sorts entries by key.
    pub(super) fn sort(self, entries: Vec<(Str, Value)>) -> Vec<(Str, Value)> {
        let keys: Vec<Vec<char>> = entries
            .iter()
            .map(|(key, _)| key.to_text().chars().collect())
            .collect();
        let mut order: Vec<usize> = (0..keys.len()).collect();
        self.sort_indices(&mut order, &|index| keys[index].as_slice());
        let mut entries: Vec<Option<(Str, Value)>> = entries.into_iter().map(Some).collect();
        order
            .into_iter()
            .filter_map(|index| entries[index].take())
            .collect()
    }

    /// Sorts as Go does for few keys (insertion) and by merging for many. The order is not always
    /// transitive, which the standard library's sort may answer with a panic.
    fn sort_indices<'k>(self, order: &mut [usize], key: &dyn Fn(usize) -> &'k [char]) {
        if order.len() <= 12 {
            for end in 1..order.len() {
                let mut at = end;
                while at > 0 && self.less(key(order[at]), key(order[at - 1])) {
                    order.swap(at, at - 1);
                    at -= 1;
                }
            }
            return;
        }
        let middle = order.len() / 2;
        let (left, right) = order.split_at_mut(middle);
        self.sort_indices(left, key);
        self.sort_indices(right, key);
        let (left, right) = (left.to_vec(), right.to_vec());
        let (mut l, mut r) = (0, 0);
        for slot in order.iter_mut() {
            let from_right = match (left.get(l), right.get(r)) {
                (Some(a), Some(b)) => self.less(key(*b), key(*a)),
                (None, _) => true,
                (_, None) => false,
            };
            if from_right {
                *slot = right[r];
                r += 1;
            } else {
                *slot = left[l];
                l += 1;
            }
        }
    }

    fn less(self, a: &[char], b: &[char]) -> bool {
        let mut after_digit = false;
        for (index, (x, y)) in a.iter().zip(b).enumerate() {
            if x == y {
                after_digit = is_digit(*x);
                continue;
            }
            return match (is_letter(*x), is_letter(*y)) {
                (true, true) => x < y,
                (false, false) => less_by_number(a, b, index),
                (x_letter, y_letter) => {
                    if self == Self::V3 && after_digit {
                        x_letter
                    } else {
                        y_letter
                    }
                }
            };
        }
        a.len() < b.len()
    }
}

/// Compares two texts from a place where both have something other than a letter.
fn less_by_number(a: &[char], b: &[char], index: usize) -> bool {
    let (mut an, mut bn) = (0, 0);
    if a[index] == '0' || b[index] == '0' {
        let before = a[..index].iter().rev().take_while(|c| is_digit(**c));
        if before.into_iter().any(|c| *c != '0') {
            (an, bn) = (1, 1);
        }
    }
    let (an, a_length) = number(&a[index..], an);
    let (bn, b_length) = number(&b[index..], bn);
    match an.cmp(&bn).then(a_length.cmp(&b_length)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => a[index] < b[index],
    }
}

fn number(text: &[char], start: i64) -> (i64, usize) {
    let mut value = start;
    let mut length = 0;
    for c in text.iter().take_while(|c| is_digit(**c)) {
        let digit = i64::from(u32::from(*c)) - i64::from(u32::from('0'));
        value = value.wrapping_mul(10).wrapping_add(digit);
        length += 1;
    }
    (value, length)
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        c.general_category() == GeneralCategory::DecimalNumber
    }
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        c.general_category_group() == GeneralCategoryGroup::Letter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(order: Order, keys: &[&str]) -> String {
        let entries = keys
            .iter()
            .map(|key| (Str::from(*key), Value::Nil))
            .collect();
        let sorted = order.sort(entries);
        sorted
            .iter()
            .map(|(key, _)| key.to_text().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn numbers_in_keys_sort_by_value() {
        let keys = [
            "a10", "a9", "a1", "b", "A", "a", "a-b", "a01", "1", "10", "2", "a1b", "a1-",
        ];
        assert_eq!(
            sorted(Order::V2, &keys),
            "1 2 10 A a a-b a1 a1- a1b a01 a9 a10 b"
        );
    }

    #[test]
    fn many_keys_sort_like_few() {
        let keys: Vec<String> = (0..100).rev().map(|n| format!("k{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let text = sorted(Order::V2, &keys);
        assert!(
            text.starts_with("k0 k1 k2 k3") && text.ends_with("k98 k99"),
            "{text}"
        );
    }
}
