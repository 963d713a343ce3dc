//! Saving and restoring a session: settings as JSON, columns, and all state.

use super::{Counts, Session, Settings};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::learner::online::{StreamLearner, StreamLearnerSpec};
use crate::scalar::Real;
use crate::stream::feed::Position;

/// Reads the settings and the columns of a saved session. [`Session::resume`] reads the rest.
///
/// # Errors
/// If the archive contains no session.
pub fn peek(archive: &mut Archive) -> Result<(Settings, Vec<String>)> {
    let (mut text, mut columns) = (String::new(), Vec::new());
    archive.field("session", &mut text)?;
    archive.field("columns", &mut columns)?;
    let settings = serde_json::from_str(&text);
    let settings = settings.map_err(|why| Error::State { field: "session", found: why.to_string() })?;
    Ok((settings, columns))
}

impl<T: Real> Session<T> {
    /// Saves the settings, the columns and all state.
    ///
    /// # Errors
    /// If a field cannot be serialised.
    pub fn save(&mut self, archive: &mut Archive) -> Result<()> {
        let mut settings = serde_json::to_string(&self.settings.as_map()).unwrap_or_default();
        archive.field("session", &mut settings)?;
        archive.field("columns", &mut self.columns().to_vec())?;
        archive.field("position", &mut self.position)?;
        archive.field("counts", &mut self.counts)?;
        self.reader.archive(archive)?;
        self.score.archive(archive)?;
        self.online.save(archive)?;
        archive.field("first", &mut self.initial)?;
        // If the stored learner equals the current one, it is not saved twice.
        let mut marked = self.rollback.as_ref().map(|(row, _)| *row);
        let current = (marked == Some(self.position.rows)).then(|| bytes(&mut self.online)).transpose()?;
        let separate = self.rollback.as_ref().filter(|(_, stored)| current.as_ref() != Some(stored));
        archive.field("marked", &mut marked)?;
        archive.field("mark", &mut separate.map(|(_, bytes)| bytes.clone()).unwrap_or_default())
    }

    /// Restores a session, after [`peek`] has read its settings and columns. The
    /// [tunable](super::TUNABLE) settings may differ from the saved ones.
    ///
    /// # Errors
    /// If the rest of the archive does not fit the settings and columns.
    pub fn resume(settings: &Settings, columns: Vec<String>, archive: &mut Archive) -> Result<Self> {
        let (mut position, mut counts) = (Position::default(), Counts::default());
        archive.field("position", &mut position)?;
        archive.field("counts", &mut counts)?;
        let mut resumed = Self::begin(settings, columns)?;
        resumed.reader.archive(archive)?;
        resumed.score.archive(archive)?;
        let initial = std::mem::replace(&mut resumed.online, StreamLearner::restore(archive)?);
        resumed.online.retune(initial.spec());
        let same = |online: &StreamLearner<T>| match online.spec() == initial.spec() {
            true => Ok(()),
            false => Err(Error::State { field: "learner", found: "a learner with other settings".into() }),
        };
        same(&resumed.online)?;
        archive.field("first", &mut resumed.initial)?;
        resumed.initial.clone().map_or(Ok(()), |bytes| same(&learner(bytes, initial.spec())?))?;
        let (mut marked, mut mark) = (None, Vec::new());
        archive.field("marked", &mut marked)?;
        archive.field("mark", &mut mark)?;
        (resumed.position, resumed.counts) = (position, counts);
        resumed.rollback = match marked {
            None => None,
            Some(row) if mark.is_empty() && row == resumed.position.rows => {
                Some((row, bytes(&mut resumed.online)?))
            }
            Some(row) => {
                same(&learner(mark.clone(), initial.spec())?)?;
                Some((row, mark))
            }
        };
        Ok(resumed)
    }
}

/// Serialises a learner.
pub fn bytes<T: Real>(online: &mut StreamLearner<T>) -> Result<Vec<u8>> {
    let mut archive = Archive::writer();
    online.save(&mut archive)?;
    Ok(archive.into_bytes())
}

/// Restores a serialised learner, and applies the tunable settings of `spec`.
pub fn learner<T: Real>(bytes: Vec<u8>, spec: &StreamLearnerSpec) -> Result<StreamLearner<T>> {
    let mut archive = Archive::reader(bytes);
    let mut online = StreamLearner::restore(&mut archive)?;
    archive.finish()?;
    online.retune(spec);
    Ok(online)
}
