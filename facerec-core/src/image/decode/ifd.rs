//! The directory of a TIFF file, which EXIF metadata are too: tags and numbers, no pixels.

/// The first directory of a TIFF, BigTIFF or EXIF block.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    little: bool,
    /// Entries start here.
    start: usize,
    count: usize,
    big: bool,
}

/// One entry: where its values lie.
pub(super) struct Entry<'a> {
    kind: u16,
    /// Number of values.
    pub(super) count: usize,
    /// Offset of the first value in the file.
    pub(super) at: usize,
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Directory<'a> {
    /// The first directory, or `None` where `bytes` are none or it lies outside of them.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let big = match number(bytes, 2, 2, little)? {
            42 => false,
            43 => true,
            _ => return None,
        };
        let (at, count) = if big { (number(bytes, 8, 8, little)?, 8) } else { (number(bytes, 4, 4, little)?, 2) };
        let at = usize::try_from(at).ok()?;
        let entries = usize::try_from(number(bytes, at, count, little)?).ok()?;
        Some(Self { bytes, little, start: at + count, count: entries, big })
    }

    /// Whether numbers stand with their low byte first.
    pub(super) fn is_little(&self) -> bool {
        self.little
    }

    /// The entry of `tag`.
    pub(super) fn find(&self, tag: u16) -> Option<Entry<'a>> {
        let (size, width) = if self.big { (20, 8) } else { (12, 4) };
        // A count that lies ends with the bytes.
        let starts = (0..self.count).map_while(|index| index.checked_mul(size)?.checked_add(self.start));
        let at = starts.map_while(|at| Some((at, number(self.bytes, at, 2, self.little)?))).find(|&(_, found)| found == u64::from(tag))?.0;
        let kind = number(self.bytes, at + 2, 2, self.little)? as u16;
        let count = usize::try_from(number(self.bytes, at + 4, width, self.little)?).ok()?;
        let inline = at + 4 + width;
        let bytes = count.checked_mul(size_of(kind)?)?;
        let at = if bytes <= width { inline } else { usize::try_from(number(self.bytes, inline, width, self.little)?).ok()? };
        Some(Entry { kind, count, at, bytes: self.bytes, little: self.little })
    }
}

impl<'a> Entry<'a> {
    /// The value at `index` as a whole number: of type BYTE, SHORT, LONG or LONG8, for writers do not keep to one.
    pub(super) fn unsigned(&self, index: usize) -> Option<u64> {
        let size = size_of(self.kind).filter(|_| matches!(self.kind, 1 | 3 | 4 | 6 | 8 | 9 | 16 | 18))?;
        (index < self.count).then(|| number(self.bytes, self.at.checked_add(index.checked_mul(size)?)?, size, self.little))?
    }

    /// The value at `index`, of a whole or floating-point type.
    pub(super) fn float(&self, index: usize) -> Option<f64> {
        let bits = |size: usize| number(self.bytes, self.at.checked_add(index.checked_mul(size)?)?, size, self.little);
        match self.kind {
            11 if index < self.count => bits(4).map(|bits| f64::from(f32::from_bits(bits as u32))),
            12 if index < self.count => bits(8).map(f64::from_bits),
            _ => self.unsigned(index).map(|value| value as f64),
        }
    }

    /// The bytes of all values.
    pub(super) fn raw(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.at..)?.get(..self.count.checked_mul(size_of(self.kind)?)?)
    }
}

/// Bytes of a value of a TIFF type: BYTE, ASCII, SHORT, LONG, RATIONAL, their signed kin, FLOAT, DOUBLE, IFD, LONG8 and its kin.
fn size_of(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize, size: usize, little: bool) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(size)?)?;
    let add = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
    Some(if little { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) })
}

#[cfg(test)]
mod tests {
    use super::Directory;

    /// A big-endian directory with one entry.
    fn block(tag: u16, kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let mut bytes = b"MM\0\x2A\0\0\0\x08\0\x01".to_vec();
        bytes.extend(tag.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(value);
        bytes
    }

    #[test]
    fn numbers_of_any_width_are_read_and_lies_are_not() {
        let value = |bytes: &[u8]| Directory::first(bytes)?.find(0x112)?.unsigned(0);
        assert_eq!(value(&block(0x112, 3, 1, [0, 6, 0, 0])), Some(6));
        assert_eq!(value(&block(0x112, 4, 1, [0, 0, 0, 6])), Some(6));
        assert_eq!(value(&block(0x112, 1, 1, [6, 0, 0, 0])), Some(6));
        assert_eq!(value(&block(0x112, 3, 2, [0, 6, 0, 0])), Some(6));
        assert_eq!(value(&block(0x112, 3, 0, [0, 6, 0, 0])), None);
        assert_eq!(value(&block(0x112, 3, u32::MAX, [0, 6, 0, 0])), None);
        assert_eq!(value(&block(0x113, 3, 1, [0, 6, 0, 0])), None);
        let whole = block(0x112, 4, 1, [0, 0, 0, 6]);
        assert!((0..whole.len()).all(|end| value(&whole[..end]).is_none()));
    }
}
