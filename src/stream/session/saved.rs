//! A session as an archive: its settings as JSON, its columns, and everything that has become of them.

use super::{Counts, Session, Settings};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::learner::online::{StreamLearner, StreamLearnerSpec};
use crate::scalar::Real;
use crate::stream::feed::Position;

/// Reads what a session that was saved is made of, and its columns. What follows is read by [`Session::resume`].
///
/// # Errors
/// If it is no session.
pub fn peek(archive: &mut Archive) -> Result<(Settings, Vec<String>)> {
    let (mut text, mut columns) = (String::new(), Vec::new());
    archive.field("session", &mut text)?;
    archive.field("columns", &mut columns)?;
    let settings = serde_json::from_str(&text);
    let settings = settings.map_err(|why| Error::State { field: "session", found: why.to_string() })?;
    Ok((settings, columns))
}

impl<T: Real> Session<T> {
    /// Writes everything.
    ///
    /// # Errors
    /// None that is known.
    pub fn save(&mut self, archive: &mut Archive) -> Result<()> {
        let mut settings = serde_json::to_string(&self.settings.as_map()).unwrap_or_default();
        archive.field("session", &mut settings)?;
        archive.field("columns", &mut self.columns().to_vec())?;
        archive.field("position", &mut self.position)?;
        archive.field("counts", &mut self.counts)?;
        self.feed.archive(archive)?;
        self.score.archive(archive)?;
        self.online.save(archive)?;
        archive.field("first", &mut self.first)?;
        // A mark made at this row equals the learner, unless the learner was reset since; it is not stored twice then.
        let mut marked = self.good.as_ref().map(|(row, _)| *row);
        let here = (marked == Some(self.position.rows)).then(|| bytes(&mut self.online)).transpose()?;
        let elsewhere = self.good.as_ref().filter(|(_, marked)| here.as_ref() != Some(marked));
        archive.field("marked", &mut marked)?;
        archive.field("mark", &mut elsewhere.map(|(_, bytes)| bytes.clone()).unwrap_or_default())
    }

    /// The session that was saved, from where [`peek`] left off; some of its settings may be [others](super::TUNABLE).
    ///
    /// # Errors
    /// If the archive holds something else.
    pub fn resume(settings: &Settings, columns: Vec<String>, archive: &mut Archive) -> Result<Self> {
        let (mut position, mut counts) = (Position::default(), Counts::default());
        archive.field("position", &mut position)?;
        archive.field("counts", &mut counts)?;
        let mut resumed = Self::begin(settings, columns)?;
        resumed.feed.archive(archive)?;
        resumed.score.archive(archive)?;
        let begun = std::mem::replace(&mut resumed.online, StreamLearner::restore(archive)?);
        resumed.online.retune(begun.spec());
        let same = |online: &StreamLearner<T>| match online.spec() == begun.spec() {
            true => Ok(()),
            false => Err(Error::State { field: "learner", found: "one of other settings".into() }),
        };
        same(&resumed.online)?;
        archive.field("first", &mut resumed.first)?;
        resumed.first.clone().map_or(Ok(()), |first| same(&learner(first, begun.spec())?))?;
        let (mut marked, mut mark) = (None, Vec::new());
        archive.field("marked", &mut marked)?;
        archive.field("mark", &mut mark)?;
        (resumed.position, resumed.counts) = (position, counts);
        resumed.good = match marked {
            None => None,
            Some(row) if mark.is_empty() && row == resumed.position.rows => {
                Some((row, bytes(&mut resumed.online)?))
            }
            Some(row) => {
                same(&learner(mark.clone(), begun.spec())?)?;
                Some((row, mark))
            }
        };
        Ok(resumed)
    }
}

/// A learner as bytes.
pub fn bytes<T: Real>(online: &mut StreamLearner<T>) -> Result<Vec<u8>> {
    let mut archive = Archive::writer();
    online.save(&mut archive)?;
    Ok(archive.into_bytes())
}

/// And back, tuned as it is to be now.
pub fn learner<T: Real>(bytes: Vec<u8>, tuned: &StreamLearnerSpec) -> Result<StreamLearner<T>> {
    let mut archive = Archive::reader(bytes);
    let mut online = StreamLearner::restore(&mut archive)?;
    archive.finish()?;
    online.retune(tuned);
    Ok(online)
}
