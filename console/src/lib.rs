//! qrt
