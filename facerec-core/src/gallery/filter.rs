//! Whom a search may find.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::text::canonical_name;

/// Narrows a search to some people, to faces with some metadata, or both. The default lets everybody be found.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SearchFilter {
    /// Only people of these names.
    pub persons: Option<BTreeSet<String>>,
    /// Only faces whose metadata holds all of these entries, with equal values.
    pub metadata: Map<String, Value>,
}

impl SearchFilter {
    /// Everybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only people of these names; names that nobody has find nobody.
    #[must_use]
    pub fn persons<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.persons = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Only faces whose metadata has `key` with exactly this value. May be called several times: all must hold.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// [`metadata`](Self::metadata) for each entry of `json`, the text of a JSON object.
    ///
    /// # Errors
    /// `invalid_argument` for anything else.
    pub fn metadata_json(mut self, json: &str) -> Result<Self> {
        let wrong = |error| Error::argument("metadata", format!("expected the text of a JSON object, got `{json}`: {error}"));
        self.metadata.extend(serde_json::from_str::<Map<String, Value>>(json).map_err(wrong)?);
        Ok(self)
    }

    /// With the names as galleries spell them.
    pub(super) fn canonical(&self) -> Cow<'_, Self> {
        match &self.persons {
            Some(names) if names.iter().any(|name| canonical_name(name) != *name) => {
                let persons = Some(names.iter().map(|name| canonical_name(name).into_owned()).collect());
                Cow::Owned(Self { persons, metadata: self.metadata.clone() })
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// Whether it lets everybody be found.
    pub fn is_empty(&self) -> bool {
        self.persons.is_none() && self.metadata.is_empty()
    }

    pub(super) fn lets_person(&self, name: &str) -> bool {
        self.persons.as_ref().is_none_or(|names| names.contains(name))
    }

    /// `metadata` is the text of a JSON object, as it is stored.
    pub(super) fn lets_metadata(&self, metadata: Option<&str>) -> bool {
        if self.metadata.is_empty() {
            return true;
        }
        let entries: Map<String, Value> = metadata.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        self.metadata.iter().all(|(key, value)| entries.get(key) == Some(value))
    }
}
