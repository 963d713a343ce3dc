//! Property tests of sparse-rtrl, in `tests/`.
