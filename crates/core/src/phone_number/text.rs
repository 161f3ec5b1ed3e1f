//! Short ASCII text kept inline: a number, its limit key and cleaned input live on the stack, never on the heap.
//!
//! Invariant: the first `len` bytes are ASCII. Nothing here prints its content; the types around it mask.

/// At most `N` ASCII bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct InlineText<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> InlineText<N> {
    /// No text.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The text, or `None` if it is longer than `N` or not ASCII.
    pub(super) fn from_ascii(text: &str) -> Option<Self> {
        let mut made = Self::new();
        text.bytes().all(|byte| made.push(byte)).then_some(made)
    }

    /// Adds one byte; false, and nothing changed, if there is no room or `byte` is not ASCII.
    #[must_use]
    pub(super) fn push(&mut self, byte: u8) -> bool {
        match self.bytes.get_mut(usize::from(self.len)) {
            Some(slot) if byte.is_ascii() => {
                *slot = byte;
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}
