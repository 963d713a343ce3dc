//! Texts as tokens: vocabulary, corpus, and samples of a batch.

use crate::error::{Error, Result};
use crate::params::{Generator, Purpose, generator};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The token at the end of every line of words.
pub const END: &str = "<eos>";

/// The token of unknown words, if the training text contains it.
pub const UNKNOWN: &str = "<unk>";

/// What a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Words between white space, and [`END`] after every line.
    #[default]
    Words,
    /// Unicode characters, line ends included.
    Characters,
}

impl TokenKind {
    /// Calls `each` with every token of a text.
    fn split<'a>(self, text: &'a str, mut each: impl FnMut(&'a str)) {
        match self {
            Self::Words => {
                for line in text.lines() {
                    line.split_whitespace().for_each(&mut each);
                    each(END);
                }
            }
            Self::Characters => {
                let ends = text.char_indices().map(|(at, c)| (at, at + c.len_utf8()));
                ends.for_each(|(start, end)| each(&text[start..end]));
            }
        }
    }
}

/// The tokens of a model, in the order of their first occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    kind: TokenKind,
    tokens: Vec<String>,
    index: HashMap<String, u32>,
}

impl Vocabulary {
    /// The vocabulary of some texts.
    pub fn new<'a>(kind: TokenKind, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut own = Self { kind, ..Self::default() };
        texts.into_iter().for_each(|text| kind.split(text, |token| own.add(token)));
        own
    }

    /// The vocabulary with these tokens, for a restored model.
    pub fn from_tokens(kind: TokenKind, tokens: Vec<String>) -> Self {
        let mut own = Self { kind, ..Self::default() };
        tokens.iter().for_each(|token| own.add(token));
        own
    }

    fn add(&mut self, token: &str) {
        if !self.index.contains_key(token) {
            self.index.insert(token.into(), self.tokens.len() as u32);
            self.tokens.push(token.into());
        }
    }

    /// Returns the number of tokens, V.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Returns whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Returns what a token is.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// Returns all tokens.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Returns the text of a token.
    ///
    /// # Panics
    /// If it is not below V.
    pub fn token(&self, index: u32) -> &str {
        &self.tokens[index as usize]
    }

    /// Returns the tokens of a text. An unknown token becomes [`UNKNOWN`] if the vocabulary has it.
    ///
    /// # Errors
    /// If a token is unknown and the vocabulary lacks [`UNKNOWN`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut encoded = Vec::new();
        let mut unknown = None;
        let fallback = self.index.get(UNKNOWN).copied();
        self.kind.split(text, |token| match self.index.get(token).copied().or(fallback) {
            Some(index) => encoded.push(index),
            None => unknown = unknown.or(Some(token)),
        });
        match unknown {
            Some(token) => {
                Err(Error::setting("text", &format!("tokens of the vocabulary, or {UNKNOWN} in it"), token))
            }
            None => Ok(encoded),
        }
    }
}

/// A training text and two texts held out, as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// The tokens of all three texts.
    pub vocabulary: Vocabulary,
    /// Tokens to learn from.
    pub train: Vec<u32>,
    /// Tokens for choices during training.
    pub valid: Vec<u32>,
    /// Tokens for the final evaluation.
    pub test: Vec<u32>,
}

impl Corpus {
    /// Reads a corpus from a folder that holds one file each whose name ends in `train.txt`,
    /// `valid.txt` and `test.txt`, or from one file, of which the last tenth is held out, one half
    /// for validation and one for the test.
    ///
    /// # Errors
    /// If a file cannot be read, is not UTF-8, or is too short.
    pub fn read(path: &Path, kind: TokenKind) -> Result<Self> {
        if !path.is_dir() {
            let text = read(path)?;
            return Self::split(kind, &text).map_err(|error| in_file(path, &error));
        }
        let texts = ["train.txt", "valid.txt", "test.txt"].map(|name| read(&find(path, name)?));
        let [train, valid, test] = texts;
        Self::new(kind, [&train?, &valid?, &test?]).map_err(|error| in_file(path, &error))
    }

    /// A corpus of one text. The last tenth is held out, one half for validation and one for the
    /// test.
    ///
    /// # Errors
    /// If the text is too short.
    pub fn split(kind: TokenKind, text: &str) -> Result<Self> {
        let at = |share: f64| {
            let place = (share * text.len() as f64) as usize;
            // Words: at a line end, so that no line is cut.
            let cut = match kind {
                TokenKind::Words => {
                    text.as_bytes()[place..].iter().position(|&b| b == b'\n').map(|k| place + k + 1)
                }
                TokenKind::Characters => (place..text.len()).find(|&k| text.is_char_boundary(k)),
            };
            cut.unwrap_or(text.len())
        };
        let (valid, test) = (at(0.9), at(0.95));
        Self::new(kind, [&text[..valid], &text[valid..test], &text[test..]])
    }

    /// A corpus of three texts: training, validation, test.
    ///
    /// # Errors
    /// If a text has fewer than two tokens.
    pub fn new(kind: TokenKind, [train, valid, test]: [&str; 3]) -> Result<Self> {
        let vocabulary = Vocabulary::new(kind, [train, valid, test]);
        let encoded = |name: &str, text: &str| {
            let tokens = vocabulary.encode(text)?;
            match tokens.len() {
                0 | 1 => Err(Error::setting(name, "a text of at least 2 tokens", tokens.len())),
                _ => Ok(tokens),
            }
        };
        Ok(Self {
            train: encoded("train", train)?,
            valid: encoded("valid", valid)?,
            test: encoded("test", test)?,
            vocabulary,
        })
    }

    /// A generated corpus, for trials without data: short sentences of a small grammar, in which
    /// the number of a noun decides the form of a verb several words later.
    pub fn generated(seed: u64) -> Self {
        let mut rng = generator(seed, Purpose::Data);
        let mut text = String::new();
        for _ in 0..6000 {
            sentence(&mut text, &mut rng);
        }
        Self::split(TokenKind::Words, &text).expect("the generated text is long enough")
    }
}

/// Adds a sentence: a noun phrase, an optional phrase between, a verb that agrees, an object.
fn sentence(text: &mut String, rng: &mut Generator) {
    const NOUNS: [[&str; 2]; 6] = [
        ["cat", "cats"],
        ["dog", "dogs"],
        ["child", "children"],
        ["teacher", "teachers"],
        ["bird", "birds"],
        ["neighbour", "neighbours"],
    ];
    const VERBS: [[&str; 2]; 5] =
        [["sees", "see"], ["likes", "like"], ["finds", "find"], ["follows", "follow"], ["calls", "call"]];
    const PLACES: [&str; 4] = ["garden", "house", "street", "forest"];
    const ADJECTIVES: [&str; 5] = ["old", "small", "quiet", "young", "happy"];
    let (subject, number) = (rng.random_range(0..NOUNS.len()), rng.random_range(0..2));
    let mut words = vec!["the"];
    if rng.random::<f64>() < 0.5 {
        words.push(ADJECTIVES[rng.random_range(0..ADJECTIVES.len())]);
    }
    words.push(NOUNS[subject][number]);
    if rng.random::<f64>() < 0.5 {
        words.extend(["in", "the", PLACES[rng.random_range(0..PLACES.len())]]);
    }
    words.push(VERBS[rng.random_range(0..VERBS.len())][number]);
    words.extend(["the", NOUNS[rng.random_range(0..NOUNS.len())][rng.random_range(0..2)]]);
    text.push_str(&words.join(" "));
    text.push('\n');
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    String::from_utf8(bytes).map_err(|error| Error::Format {
        path: path.into(),
        why: format!("expected UTF-8 text, got another byte at {}", error.utf8_error().valid_up_to()),
    })
}

/// Returns the one file of a folder whose name ends in `name`.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).map_err(|source| Error::Read { path: folder.into(), source })?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|own| own.to_string_lossy().ends_with(name)));
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        _ => Err(Error::Format {
            path: folder.into(),
            why: format!("expected one file whose name ends in {name}, got {}", found.len()),
        }),
    }
}

fn in_file(path: &Path, error: &Error) -> Error {
    Error::Format { path: path.into(), why: error.to_string() }
}

/// A text as B samples that run side by side: sample b holds the tokens
/// `b · length .. (b + 1) · length`. Tokens that do not fill all samples are left out.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    tokens: &'a [u32],
    batch: usize,
    length: usize,
}

impl<'a> Samples<'a> {
    /// Divides tokens into `batch` samples.
    ///
    /// # Errors
    /// If there are fewer than two tokens per sample.
    pub fn new(tokens: &'a [u32], batch: usize) -> Result<Self> {
        let length = tokens.len() / batch;
        if length < 2 {
            let expected = format!("at most {}, half of the tokens of the shortest text", tokens.len() / 2);
            return Err(Error::setting("batch", &expected, batch));
        }
        Ok(Self { tokens, batch, length })
    }

    /// Returns the number of steps with a target: one less than the tokens of a sample.
    pub fn steps(&self) -> usize {
        self.length - 1
    }

    /// Writes the tokens of the steps `start..start + steps` and of the step after them, time by
    /// time: `[steps + 1][B]`.
    pub fn window(&self, start: usize, steps: usize, to: &mut Vec<u32>) {
        to.clear();
        for t in start..=start + steps {
            to.extend((0..self.batch).map(|b| self.tokens[b * self.length + t]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_of_words_ends_every_line_with_eos() {
        let corpus = Corpus::new(TokenKind::Words, ["a b\nb\n", "b a\n", "c\n"]).unwrap();
        assert_eq!(corpus.vocabulary.tokens(), ["a", "b", END, "c"]);
        assert_eq!(corpus.train, [0, 1, 2, 1, 2]);
        assert_eq!(corpus.valid, [1, 0, 2]);
        assert_eq!(corpus.test, [3, 2]);
    }

    #[test]
    fn corpus_of_characters_keeps_line_ends() {
        let corpus = Corpus::new(TokenKind::Characters, ["aé\n", "éa", "\na"]).unwrap();
        assert_eq!(corpus.vocabulary.tokens(), ["a", "é", "\n"]);
        assert_eq!(corpus.train, [0, 1, 2]);
    }

    #[test]
    fn encode_of_unknown_token_needs_an_unknown_token() {
        let with = Vocabulary::new(TokenKind::Words, ["a <unk>"]);
        assert_eq!(with.encode("a z").unwrap(), [0, 1, 2]);
        let without = Vocabulary::new(TokenKind::Words, ["a b"]);
        assert!(without.encode("z").unwrap_err().to_string().contains("got z"));
    }

    #[test]
    fn samples_run_side_by_side() {
        let tokens: Vec<u32> = (0..11).collect();
        let samples = Samples::new(&tokens, 2).unwrap();
        let mut window = Vec::new();
        samples.window(1, 2, &mut window);
        assert_eq!((samples.steps(), &window[..]), (4, &[1, 6, 2, 7, 3, 8][..]));
        assert!(Samples::new(&tokens, 6).is_err());
    }

    #[test]
    fn generated_corpus_of_a_seed_is_the_same() {
        let corpus = Corpus::generated(0);
        assert_eq!(corpus, Corpus::generated(0));
        assert!(corpus.vocabulary.len() < 40 && corpus.train.len() > 30_000);
    }
}
