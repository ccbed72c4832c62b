//! Names of containers and queues.

use crate::response::ServiceError;

/// Checks the name of a container or queue: 3 to 63 lower-case letters, digits and hyphens, beginning and ending with
/// a letter or digit, without two hyphens in a row.
///
/// # Errors
/// `400 OutOfRangeInput` for the length, `400 InvalidResourceName` for the rest.
pub(crate) fn check(name: &str) -> Result<(), ServiceError> {
    if !(3..=63).contains(&name.len()) {
        return Err(ServiceError::bad_request(
            "OutOfRangeInput",
            "The specified resource name length is not within the permissible limits.",
        ));
    }
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !letters || name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        return Err(ServiceError::bad_request(
            "InvalidResourceName",
            "The specified resource name contains invalid characters.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_azure() {
        for good in ["abc", "a-b", "0-0", &"a".repeat(63)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", &"a".repeat(64), "Abc", "-ab", "ab-", "a--b", "a_b", "äöü"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
