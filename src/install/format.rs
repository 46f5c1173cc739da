//! The three formats behind one signature.

use super::document::{Broken, Splice};
use super::value::Value;
use super::{json, toml, yaml};

/// How a configuration file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON; comments and trailing commas are let be, because some hosts allow them.
    Json,
    /// TOML 1.0.
    Toml,
    /// The part of YAML that people and Goose write: block mappings.
    Yaml,
}

/// An entry of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its members.
    pub value: Value,
}

impl Format {
    /// The entries of the section at `path`; none if there is no such section.
    pub(super) fn entries(self, text: &str, path: &[String]) -> Result<Vec<Found>, Broken> {
        match self {
            Self::Json => json::entries(text, path),
            Self::Toml => toml::entries(text, path),
            Self::Yaml => yaml::entries(text, path),
        }
    }

    /// Adds an entry, and the section where it is missing.
    pub(super) fn insert(
        self,
        text: &str,
        path: &[String],
        name: &str,
        value: &Value,
    ) -> Result<Vec<Splice>, Broken> {
        match self {
            Self::Json => json::insert(text, path, name, value),
            Self::Toml => toml::insert(text, path, name, value),
            Self::Yaml => yaml::insert(text, path, name, value),
        }
    }

    /// Puts another value in the place of an entry's.
    pub(super) fn replace(
        self,
        text: &str,
        path: &[String],
        name: &str,
        value: &Value,
    ) -> Result<Vec<Splice>, Broken> {
        match self {
            Self::Json => json::replace(text, path, name, value),
            Self::Toml => toml::replace(text, path, name, value),
            Self::Yaml => yaml::replace(text, path, name, value),
        }
    }

    /// An entry as it is written.
    pub(super) fn written(self, text: &str, path: &[String], name: &str) -> Result<String, Broken> {
        match self {
            Self::Json => json::written(text, path, name),
            Self::Toml => toml::written(text, path, name),
            Self::Yaml => yaml::written(text, path, name),
        }
    }

    /// Puts in an entry's place what [`Format::written`] has returned for another one.
    pub(super) fn put_back(
        self,
        text: &str,
        path: &[String],
        name: &str,
        written: &str,
    ) -> Result<Vec<Splice>, Broken> {
        match self {
            Self::Json => json::put_back(text, path, name, written),
            Self::Toml => toml::put_back(text, path, name, written),
            Self::Yaml => yaml::put_back(text, path, name, written),
        }
    }

    /// Takes an entry out: the inverse of [`Format::insert`] where the section was there before.
    pub(super) fn remove(
        self,
        text: &str,
        path: &[String],
        name: &str,
    ) -> Result<Vec<Splice>, Broken> {
        match self {
            Self::Json => json::remove(text, path, name),
            Self::Toml => toml::remove(text, path, name),
            Self::Yaml => yaml::remove(text, path, name),
        }
    }

    /// Puts another program in the place of an entry's, and takes the first arguments away;
    /// everything else in the entry stays as it is.
    pub(super) fn substitute(
        self,
        text: &str,
        path: &[String],
        name: &str,
        substitute: &Substitute<'_>,
    ) -> Result<Vec<Splice>, Broken> {
        match self {
            Self::Json => json::substitute(text, path, name, substitute),
            Self::Toml => toml::substitute(text, path, name, substitute),
            Self::Yaml => yaml::substitute(text, path, name, substitute),
        }
    }
}

/// For [`Format::substitute`].
pub(super) struct Substitute<'a> {
    /// The member that names the program.
    pub(super) key: &'a str,
    /// The program to start.
    pub(super) program: &'a str,
    /// How many arguments go.
    pub(super) n_gone: usize,
}
