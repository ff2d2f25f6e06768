//! Whole directories, read and translated.
