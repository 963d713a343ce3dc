//! Rendering of an SVG as PNG, with an embedded font.

use resvg::{tiny_skia, usvg};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::file;
use std::path::Path;

/// Pixels of the PNG per pixel of the SVG.
const SCALE: f32 = 2.0;

/// Renders an SVG and writes it as PNG.
///
/// # Errors
/// If the file cannot be written.
pub fn write_png(path: &Path, svg: &str) -> Result<()> {
    let failed = |why: &dyn std::fmt::Display| Error::Write {
        path: path.into(),
        source: std::io::Error::other(why.to_string()),
    };
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let tree = usvg::Tree::from_str(svg, &options).map_err(|why| failed(&why))?;
    let (width, height) = ((tree.size().width() * SCALE) as u32, (tree.size().height() * SCALE) as u32);
    let mut picture = tiny_skia::Pixmap::new(width, height).ok_or_else(|| failed(&"an empty picture"))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    file::replace(path, picture.encode_png().map_err(|why| failed(&why))?)
}
