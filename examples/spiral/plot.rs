//! The learning curve as a picture.

use sparse_rtrl::error::Result;
use sparse_rtrl::record::Row;
use std::path::Path;

pub fn draw(_: &Path, _: &[Vec<Row>]) -> Result<()> {
    Ok(())
}
