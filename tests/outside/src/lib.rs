//! A sender and a store that somebody wrote for themselves, with nothing but `verifyd`'s public names.

pub mod pigeons;
pub mod watched;
