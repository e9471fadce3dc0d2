//! Offline reading; see below.
