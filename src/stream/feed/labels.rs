//! A table of names and their indices: listed in advance, or numbered in order of appearance.

use crate::archive::Archive;
use crate::error::{Error, Result};

/// A table of a limited number of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The names so far, at most `most`. The position of a name is its index.
    known: Vec<String>,
    /// Maximum number of names.
    most: usize,
}

impl Labels {
    /// Creates a table of these names only.
    pub fn listed(known: Vec<String>) -> Self {
        Self { most: known.len(), known }
    }

    /// Creates an empty table for the first `most` names that appear.
    pub fn seen(most: usize) -> Self {
        Self { known: Vec::new(), most }
    }

    /// Parses a list of names, `a,b,c`, or a maximum number of names.
    ///
    /// # Errors
    /// If the number of names is not from 2 to 100000, or a name is empty or a duplicate.
    pub fn parse(setting: &str, text: &str) -> Result<Self> {
        let labels = match text.trim().parse::<usize>() {
            Ok(most) => Self::seen(most),
            Err(_) => Self::listed(text.split(',').map(|label| label.trim().to_string()).collect()),
        };
        if !(2..=100_000).contains(&labels.most) {
            return Err(Error::setting(setting, "2 to 100000 names, as a number or as a,b,c", text));
        }
        for (k, label) in labels.known.iter().enumerate() {
            if label.is_empty() || labels.known[..k].contains(label) {
                return Err(Error::setting(setting, "distinct names that are not empty", text));
            }
        }
        Ok(labels)
    }

    /// Returns the maximum number of names.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Returns the names so far, in the order of their indices.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// Returns the index of a name. For a new name, it is the index after [`Labels::learn`], or
    /// `None` if the table is full.
    pub fn index(&self, name: &str) -> Option<usize> {
        let known = self.known.iter().position(|label| label == name);
        known.or_else(|| (self.known.len() < self.most).then_some(self.known.len()))
    }

    /// Adds a name if it is new and the table is not full.
    pub fn learn(&mut self, name: &str) {
        if self.known.len() < self.most && !self.known.iter().any(|label| label == name) {
            self.known.push(name.into());
        }
    }

    /// Returns the name of an index, or `#` and the index if it has no name yet.
    pub fn name(&self, index: usize) -> String {
        self.known.get(index).cloned().unwrap_or_else(|| format!("#{index}"))
    }

    /// Returns a description of the accepted names for an error message.
    pub fn expected(&self) -> String {
        const SHOWN: usize = 8;
        let shown = self.known.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.known.len() > SHOWN { ", …" } else { "" };
        format!("one of {} names ({shown}{more})", self.most)
    }

    /// Writes the names to an archive, or reads them from one.
    ///
    /// # Errors
    /// If the archive holds more than the maximum number of names.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("labels", &mut self.known)?;
        match self.known.len() <= self.most {
            true => Ok(()),
            false => Err(Error::State { field: "labels", found: format!("{} names", self.known.len()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_listed_or_learned_have_the_expected_indices() {
        let listed = Labels::parse("classes", "no, yes").unwrap();
        assert_eq!((listed.index("yes"), listed.index("maybe"), listed.most()), (Some(1), None, 2));
        let mut seen = Labels::parse("classes", "2").unwrap();
        assert_eq!(seen.index("b"), Some(0));
        assert_eq!(seen.index("b"), Some(0), "`index` adds no name");
        seen.learn("b");
        seen.learn("a");
        seen.learn("c");
        assert_eq!((seen.index("a"), seen.index("c"), seen.known().len()), (Some(1), None, 2));
        assert_eq!(seen.expected(), "one of 2 names (b, a)");
        for wrong in ["1", "0", "a", "a,a", "a,,b", "999999999"] {
            assert!(Labels::parse("classes", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_expected_lists_at_most_eight_names() {
        let many = |n: usize| Labels::listed((0..n).map(|k| k.to_string()).collect()).expected();
        assert_eq!(many(8), "one of 8 names (0, 1, 2, 3, 4, 5, 6, 7)");
        assert_eq!(many(9), "one of 9 names (0, 1, 2, 3, 4, 5, 6, 7, …)");
    }

    #[test]
    fn labels_parse_accepts_two_to_100000_names() {
        assert_eq!(Labels::parse("c", " 100000 ").unwrap().most(), 100_000);
        assert_eq!(Labels::parse("c", "2").unwrap().name(1), "#1");
        assert_eq!(Labels::parse("c", "p, q").unwrap().name(1), "q");
        for wrong in ["100001", "1", "p", "p,q,p", ",p"] {
            assert!(Labels::parse("c", wrong).is_err(), "{wrong}");
        }
    }

    /// A new name has no index once all are in use. Repeated calls return the same index.
    #[test]
    fn labels_index_of_a_new_name_is_the_next_free_one() {
        let mut seen = Labels::seen(2);
        for (name, index) in [("b", Some(0)), ("a", Some(1)), ("c", None), ("b", Some(0))] {
            assert_eq!(seen.index(name), index);
            seen.learn(name);
            assert_eq!(seen.index(name), index);
        }
        assert_eq!(seen.known(), ["b", "a"]);
        assert_eq!(Labels::listed(vec!["x".into(), "y".into()]).index("z"), None);
    }
}
