//! Reading of lines. One line holds one row, so that a malformed row does not affect the next row.

use std::io::{BufRead, BufReader, Read, Result};

/// Maximum length of a line in bytes. The rest of a longer line is skipped, and its row is
/// malformed.
pub const LONGEST: usize = 1 << 20;

/// The byte order mark U+FEFF in UTF-8. Some programs write it at the start of a file.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The numbered lines of a reader. Memory: the longest line so far.
pub struct LineReader<R> {
    reader: BufReader<R>,
    text: Vec<u8>,
    number: u64,
    whole: bool,
    ended: bool,
    /// Whether the next call returns the last line once more.
    again: bool,
}

/// A line without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLine<'a> {
    /// Its text, at most 1 MiB.
    pub text: &'a [u8],
    /// Line number, from 1. Skipped lines count.
    pub number: u64,
    /// Whether `text` is the whole line.
    pub whole: bool,
    /// Whether the line end was read. Only the last line can lack one; it may be incomplete.
    pub ended: bool,
}

impl<R: Read> LineReader<R> {
    /// Creates a reader of lines that starts at the first line.
    pub fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Self { reader, text: Vec::new(), number: 0, whole: true, ended: true, again: false }
    }

    /// Returns the next line that is not blank. The last line needs no line end. A byte order mark
    /// before the first line is removed.
    ///
    /// # Errors
    /// If the reader fails. The part of a line that was read before the error is lost.
    pub fn next_line(&mut self) -> Result<Option<TextLine<'_>>> {
        if std::mem::take(&mut self.again) {
            return Ok(Some(self.line()));
        }
        loop {
            self.text.clear();
            // One more byte for the line end.
            let read = (&mut self.reader).take(LONGEST as u64 + 1).read_until(b'\n', &mut self.text)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.ended = self.text.ends_with(b"\n");
            self.whole = self.ended || read <= LONGEST;
            if !self.whole {
                self.reader.skip_until(b'\n')?;
                self.text.truncate(LONGEST);
            }
            // A truncated line is malformed, so its line end does not matter.
            self.ended |= !self.whole;
            if self.number == 1 && self.text.starts_with(MARK) {
                self.text.drain(..MARK.len());
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                break Ok(Some(self.line()));
            }
        }
    }

    /// Returns the last line.
    pub fn line(&self) -> TextLine<'_> {
        let Self { number, whole, ended, .. } = *self;
        TextLine { text: trim_end(&self.text), number, whole, ended }
    }

    /// Makes the next call of [`LineReader::next_line`] return the last line once more.
    pub fn again(&mut self) {
        self.again = true;
    }

    /// Skips a number of lines. Blank lines count.
    ///
    /// # Errors
    /// If the reader fails.
    pub fn skip(&mut self, lines: usize) -> Result<()> {
        for _ in 0..lines {
            self.number += u64::from(self.reader.skip_until(b'\n')? > 0);
        }
        Ok(())
    }

    /// Returns whether the buffer holds a line end, so that the next line needs no read that could
    /// block.
    pub fn at_hand(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }
}

/// Removes `\n` or `\r\n` from the end.
fn trim_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(String, u64, bool)> {
        let mut lines = LineReader::new(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((String::from_utf8_lossy(line.text).into_owned(), line.number, line.whole));
        }
        all
    }

    #[test]
    fn lines_skip_blank_lines_and_count_them() {
        let expected = [("a,b".to_string(), 1, true), ("c".to_string(), 4, true), ("d".to_string(), 5, true)];
        assert_eq!(lines(b"a,b\r\n\n  \nc\nd"), expected);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn lines_strip_a_byte_order_mark_of_the_first_line() {
        let found = lines(b"\xef\xbb\xbf{}\n\xef\xbb\xbfx\n");
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("{}", "\u{feff}x"));
        assert_eq!(lines(b"\xef\xbb\xbf\nx\n"), [("x".to_string(), 2, true)]);
    }

    #[test]
    fn lines_without_a_final_newline_return_the_last_line_as_not_ended() {
        let mut lines = LineReader::new(&b"a\nb"[..]);
        assert!(lines.next_line().unwrap().unwrap().ended);
        assert!(!lines.next_line().unwrap().unwrap().ended);
        lines.again();
        assert!(!lines.next_line().unwrap().unwrap().ended, "the repeated line is not ended either");
    }

    #[test]
    fn lines_of_excessive_length_are_cut() {
        let mut text = vec![b'x'; LONGEST + 5];
        text.extend(b"\nnext\n");
        let found = lines(&text);
        assert_eq!((found[0].0.len(), found[0].1, found[0].2), (LONGEST, 1, false));
        assert_eq!(found[1], ("next".to_string(), 2, true));
        let exact = vec![b'x'; LONGEST];
        assert_eq!(lines(&exact).iter().map(|line| line.2).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn lines_at_hand_is_true_for_a_buffered_line() {
        let mut lines = LineReader::new(&b"1\n2\n"[..]);
        assert!(!lines.at_hand(), "nothing was read yet");
        lines.next_line().unwrap();
        lines.again();
        assert_eq!(lines.next_line().unwrap().unwrap().text, b"1");
        assert!(lines.at_hand());
        lines.skip(3).unwrap();
        assert!(!lines.at_hand());
    }

    /// A line of the greatest length is whole, with or without a line end. A line with one more
    /// byte is cut.
    #[test]
    fn lines_of_the_greatest_length_are_whole_and_longer_ones_are_cut() {
        for end in ["", "\n", "\nnext", "\nnext\n"] {
            for (more, whole) in [(0, true), (1, false)] {
                let text = [&vec![b'x'; LONGEST + more][..], end.as_bytes()].concat();
                let mut lines = LineReader::new(&text[..]);
                let first = lines.next_line().unwrap().unwrap();
                assert_eq!(
                    (first.text.len(), first.number, first.whole),
                    (LONGEST, 1, whole),
                    "{more} {end:?}"
                );
                assert_eq!(first.ended, !whole || !end.is_empty(), "a cut line is ended");
                let next = lines.next_line().unwrap();
                let expected = end.contains("next").then_some((&b"next"[..], 2, true, end.ends_with("t\n")));
                assert_eq!(next.map(|line| (line.text, line.number, line.whole, line.ended)), expected);
            }
        }
    }

    #[test]
    fn lines_skip_counts_existing_lines_only() {
        let mut lines = LineReader::new(&b"a\n\nb\nc"[..]);
        lines.skip(2).unwrap();
        assert_eq!(lines.next_line().unwrap().map(|line| (line.text, line.number)), Some((&b"b"[..], 3)));
        lines.skip(5).unwrap();
        assert_eq!(lines.next_line().unwrap(), None);
        assert_eq!(lines.line().number, 4);
    }

    #[test]
    fn lines_again_repeats_the_line_once() {
        let mut lines = LineReader::new(&b"a\nb\n"[..]);
        lines.next_line().unwrap();
        lines.again();
        for (text, number) in [(b"a", 1), (b"b", 2)] {
            assert_eq!(
                lines.next_line().unwrap().map(|line| (line.text, line.number)),
                Some((&text[..], number))
            );
        }
        assert_eq!(lines.next_line().unwrap(), None);
    }

    /// Only one carriage return belongs to the end of a line.
    #[test]
    fn lines_strip_one_line_end_only() {
        let expected =
            [("a\r".to_string(), 1, true), ("\rb".to_string(), 2, true), (" c".to_string(), 3, true)];
        assert_eq!(lines(b"a\r\r\n\rb\n c\r"), expected);
    }
}
