//! Names as indices: listed beforehand, or numbered in order of appearance and remembered.

use crate::archive::Archive;
use crate::error::{Error, Result};

/// Up to that many names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    known: Vec<String>,
    most: usize,
}

impl Labels {
    /// These and no others.
    pub fn listed(known: Vec<String>) -> Self {
        Self { most: known.len(), known }
    }

    /// The first `most` that come.
    pub fn seen(most: usize) -> Self {
        Self { known: Vec::new(), most }
    }

    /// `a,b,c` lists them; a number says how many there may be.
    ///
    /// # Errors
    /// If there are fewer than two or very many, one is empty, or one is there twice.
    pub fn parse(setting: &str, text: &str) -> Result<Self> {
        let labels = match text.trim().parse::<usize>() {
            Ok(most) => Self::seen(most),
            Err(_) => Self::listed(text.split(',').map(|label| label.trim().to_string()).collect()),
        };
        if !(2..=100_000).contains(&labels.most) {
            return Err(Error::setting(setting, "2 to 100000 of them, by number or as a,b,c", text));
        }
        for (k, label) in labels.known.iter().enumerate() {
            if label.is_empty() || labels.known[..k].contains(label) {
                return Err(Error::setting(setting, "different names, none of them empty", text));
            }
        }
        Ok(labels)
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Those known so far.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// The index a name has, or would have if it were [taken in](Self::learn); nothing if there is no room for it.
    pub fn index(&self, name: &str) -> Option<usize> {
        let known = self.known.iter().position(|label| label == name);
        known.or_else(|| (self.known.len() < self.most).then_some(self.known.len()))
    }

    /// Takes a name in, if it is new and there is room.
    pub fn learn(&mut self, name: &str) {
        if self.known.len() < self.most && !self.known.iter().any(|label| label == name) {
            self.known.push(name.into());
        }
    }

    /// The name of an index; its number as long as it has none.
    pub fn name(&self, index: usize) -> String {
        self.known.get(index).cloned().unwrap_or_else(|| format!("#{index}"))
    }

    /// What may come, in words.
    pub fn expected(&self) -> String {
        const SHOWN: usize = 8;
        let shown = self.known.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.known.len() > SHOWN { ", …" } else { "" };
        format!("one of {} names ({shown}{more})", self.most)
    }

    /// # Errors
    /// If what is read is more than there may be.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("labels", &mut self.known)?;
        match self.known.len() <= self.most {
            true => Ok(()),
            false => Err(Error::State { field: "labels", found: format!("{} of them", self.known.len()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_and_seen() {
        let listed = Labels::parse("classes", "no, yes").unwrap();
        assert_eq!((listed.index("yes"), listed.index("maybe"), listed.most()), (Some(1), None, 2));
        let mut seen = Labels::parse("classes", "2").unwrap();
        assert_eq!(seen.index("b"), Some(0));
        assert_eq!(seen.index("b"), Some(0), "asking teaches nothing");
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
    fn eight_names_are_shown_and_a_ninth_is_not() {
        let many = |n: usize| Labels::listed((0..n).map(|k| k.to_string()).collect()).expected();
        assert_eq!(many(8), "one of 8 names (0, 1, 2, 3, 4, 5, 6, 7)");
        assert_eq!(many(9), "one of 9 names (0, 1, 2, 3, 4, 5, 6, 7, …)");
    }

    #[test]
    fn labels_are_two_to_a_hundred_thousand() {
        assert_eq!(Labels::parse("c", " 100000 ").unwrap().most(), 100_000);
        assert_eq!(Labels::parse("c", "2").unwrap().name(1), "#1");
        assert_eq!(Labels::parse("c", "p, q").unwrap().name(1), "q");
        for wrong in ["100001", "1", "p", "p,q,p", ",p"] {
            assert!(Labels::parse("c", wrong).is_err(), "{wrong}");
        }
    }

    /// With the last place taken there is none left; an index asked for twice is the same.
    #[test]
    fn index_of_a_new_name_is_the_next_free_place() {
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
