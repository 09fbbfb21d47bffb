//! A password or token on its way from the operator to the place that checks it.

/// Text that cannot be printed by accident and is wiped when dropped.
///
/// It has neither `Debug`, `Display` nor `Serialize` on purpose: a struct that holds one cannot
/// derive them either, so no log line can show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Borrow it for as short as possible and never format it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites the buffer, spare capacity included. The compiler must assume that `black_box` reads
/// the bytes, so it cannot drop the stores as dead.
fn wipe(text: &mut String) {
    let mut bytes = std::mem::take(text).into_bytes();
    bytes.fill(0);
    bytes.resize(bytes.capacity(), 0);
    std::hint::black_box(bytes.as_slice());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposes_what_was_stored() {
        let secret = Secret::from("s3cret".to_string());
        assert_eq!(secret.expose(), "s3cret");
        assert!(secret == secret.clone());
        assert!(!secret.is_empty());
    }

    #[test]
    fn wiping_leaves_nothing_behind() {
        let mut text = "s3cret".to_string();
        wipe(&mut text);
        assert_eq!(text, "");
    }
}
