//! Things that have no business in a queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::random::Rng;

/// A random GUID in lower case with hyphens.
pub fn guid(rng: &mut Rng) -> String {
    let bits = (u128::from(rng.bits()) << 64) | u128::from(rng.bits());
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|range| hex.get(range).unwrap_or_default().to_owned()).join("-")
}

/// The text of a message that no worker can work on.
pub fn message(rng: &mut Rng) -> String {
    let id = guid(rng);
    match rng.below(16) {
        0 => String::new(),
        1 => noise(rng, 65_536),
        2 => noise(rng, 300),
        3 => "{".repeat(5_000),
        4 => format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000)),
        5 => r#"{"Orders":[1,2,3],"Total":17.5}"#.to_owned(),
        6 => r#"["not","an","object"]"#.to_owned(),
        7 => r#"{"TaskId":"../../etc/passwd"}"#.to_owned(),
        8 => r#"{"TaskId":"..%2f..%2ftasks","TaskName":"x"}"#.to_owned(),
        9 => r#"{"TaskId":99999999999999999999999999999999999999999999}"#.to_owned(),
        10 => format!(r#"{{"TaskId":"{id}","Priority":1e400}}"#),
        11 => format!(r#"{{"TaskId":"{id}","Status":18446744073709551616,"Attempt":-1}}"#),
        // Base64 of bytes that are not UTF-8.
        12 => STANDARD.encode([0xff, 0xfe, 0x00, 0xc3, 0x28, 0xf0, 0x80]),
        13 => STANDARD.encode(format!(r#"{{"TaskId":"{id}","TaskName":[]}}"#)),
        14 => format!(r#"{{"TaskId":"{id}","TaskId":"{id}","returnUri":{{"a":1}}}}"#),
        _ => "\u{feff}null".to_owned(),
    }
}

/// The content of a status blob that no reader can use.
pub fn document(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => String::new(),
        1 => noise(rng, 200),
        2 => r#"{"Status":"Sleeping"}"#.to_owned(),
        _ => r#"{"TaskId":17}"#.to_owned(),
    }
}

fn noise(rng: &mut Rng, bytes: usize) -> String {
    const LETTERS: &[u8] =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789{}[]\"',:;<>&!?/\\ ";
    (0..bytes).map(|_| char::from(LETTERS.get(rng.index(LETTERS.len())).copied().unwrap_or(b'x'))).collect()
}
